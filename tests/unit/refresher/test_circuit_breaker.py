"""The circuit breaker."""

import pytest

from refresher.fetching.circuit_breaker import LONGEST_PAUSE_S, CircuitBreaker, Outcome

PROBE_EVERY_S = 30.0


@pytest.fixture
def breaker() -> CircuitBreaker:
    """Of a service that has answered once."""
    breaker = CircuitBreaker(probe_every_s=PROBE_EVERY_S)
    succeed(breaker, 0)
    return breaker


def record(
    breaker: CircuitBreaker, *products: int, succeeded: bool, now: float = 0.0, sent_at: float | None = None
) -> list[bool]:
    """Whether each call made the service recover; calls are sent now unless `sent_at` is given."""
    sent_at = now if sent_at is None else sent_at
    outcome = Outcome.REFRESHED if succeeded else Outcome.UNANSWERED
    return [breaker.record(each, outcome, sent_at=sent_at, now=now) for each in products]


def succeed(breaker: CircuitBreaker, *products: int, now: float = 0.0) -> list[bool]:
    return record(breaker, *products, succeeded=True, now=now)


def fail(
    breaker: CircuitBreaker, *products: int, now: float = 0.0, sent_at: float | None = None
) -> list[bool]:
    return record(breaker, *products, succeeded=False, now=now, sent_at=sent_at)


def test_a_new_service_counts_as_up(breaker: CircuitBreaker) -> None:
    assert not breaker.is_open
    assert not breaker.is_failing
    assert breaker.allow(100, now=0.0) == 100


def test_the_first_answer_counts_as_a_recovery_once() -> None:
    breaker = CircuitBreaker(probe_every_s=PROBE_EVERY_S)

    assert fail(breaker, 1) + succeed(breaker, 1, 2) == [False, True, False]


def test_five_failures_in_a_row_mean_that_it_is_down(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4)
    assert not breaker.is_open

    fail(breaker, 5)
    assert breaker.is_open


def test_a_success_between_failures_keeps_it_up(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4)
    succeed(breaker, 5)
    fail(breaker, 1, 2, 3, 4)

    assert not breaker.is_open


def test_malformed_answers_do_not_mean_that_it_is_down(breaker: CircuitBreaker) -> None:
    for product in range(20):
        breaker.record(product, Outcome.REFUSED, sent_at=0.0, now=0.0)

    assert not breaker.is_open
    assert breaker.is_failing


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN_PRODUCT])
def test_any_answer_to_a_probe_closes_the_circuit_but_is_no_recovery(
    breaker: CircuitBreaker, outcome: Outcome
) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    recovered = breaker.record(6, outcome, sent_at=30.0, now=30.0)

    assert (recovered, breaker.is_open) == (False, False)
    assert breaker.allow(50, now=30.0) == 50


def test_after_an_answer_the_first_refreshed_product_is_the_recovery(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    breaker.record(6, Outcome.REFUSED, sent_at=30.0, now=30.0)

    assert succeed(breaker, 7, 8, now=31.0) == [True, False]


def test_a_service_that_was_down_awaits_its_recovery_until_a_product_is_refreshed(
    breaker: CircuitBreaker,
) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    breaker.record(6, Outcome.REFUSED, sent_at=30.0, now=30.0)
    assert breaker.awaits_recovery

    succeed(breaker, 7, now=31.0)
    assert not breaker.awaits_recovery


def test_a_service_that_was_never_down_awaits_no_recovery() -> None:
    breaker = CircuitBreaker(probe_every_s=PROBE_EVERY_S)
    fail(breaker, 1, 2, 3, 4)

    assert not breaker.awaits_recovery


def test_a_service_that_refuses_everything_from_the_start_never_recovers() -> None:
    breaker = CircuitBreaker(probe_every_s=PROBE_EVERY_S)

    assert not any(breaker.record(each, Outcome.REFUSED, sent_at=0.0, now=0.0) for each in range(50))


def test_nothing_is_asked_right_after_it_went_down(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5, now=100.0)

    assert breaker.allow(50, now=100.0) == 0
    assert breaker.allow(50, now=129.9) == 0


def test_a_service_that_is_down_is_probed_once_a_period(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)

    allowed = [breaker.allow(50, now=float(now)) for now in range(91)]

    assert [now for now, count in enumerate(allowed) if count] == [30, 60, 90]
    assert max(allowed) == 1


def test_a_failed_probe_leaves_it_down(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    breaker.allow(50, now=30.0)

    assert fail(breaker, 1, now=31.0) == [False]
    assert breaker.is_open
    assert breaker.allow(50, now=31.0) == 0


def test_a_success_ends_the_pause_at_once(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    breaker.allow(50, now=30.0)

    succeed(breaker, 1, now=31.0)

    assert not breaker.is_open
    assert breaker.allow(50, now=31.0) == 50


def test_a_recovery_is_reported_once(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)

    assert succeed(breaker, 1, 2, 3) == [True, False, False]


def test_a_service_that_was_up_does_not_recover(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2)

    assert succeed(breaker, 1, 2, 3) == [False, False, False]


def test_one_bad_product_among_many_never_makes_it_failing(breaker: CircuitBreaker) -> None:
    recoveries = [succeed(breaker, 2, 3, 4) + fail(breaker, 1) for _ in range(100)]

    assert not breaker.is_failing
    assert not any(any(each) for each in recoveries)


def test_many_products_failing_between_successes_are_the_services_fault(breaker: CircuitBreaker) -> None:
    for product in range(5):
        fail(breaker, product)
        succeed(breaker, 100 + product)

    assert breaker.is_failing
    assert not breaker.is_open


def test_a_service_that_fails_in_part_is_still_asked_for_everything(breaker: CircuitBreaker) -> None:
    for product in range(5):
        fail(breaker, product)
        succeed(breaker, 100 + product)

    assert breaker.allow(50, now=0.0) == 50


def test_few_failures_among_many_successes_are_not_the_services_fault(breaker: CircuitBreaker) -> None:
    succeed(breaker, *range(100, 145))
    fail(breaker, 1, 2)
    succeed(breaker, 145)
    fail(breaker, 3, 4, 5)

    assert not breaker.is_failing


def test_the_end_of_partial_failures_is_reported_once(breaker: CircuitBreaker) -> None:
    for product in range(5):
        fail(breaker, product)
        succeed(breaker, 100 + product)

    assert succeed(breaker, *range(200, 260)).count(True) == 1
    assert not breaker.is_failing


def test_a_pause_that_the_service_asks_for_is_kept(breaker: CircuitBreaker) -> None:
    breaker.pause(10, now=100.0)

    assert breaker.allow(50, now=109.9) == 0
    assert breaker.allow(50, now=110.0) == 50


def test_a_pause_is_capped(breaker: CircuitBreaker) -> None:
    breaker.pause(86_400, now=100.0)

    assert breaker.allow(50, now=100.0 + LONGEST_PAUSE_S) == 50


def test_a_shorter_pause_does_not_end_a_longer_one(breaker: CircuitBreaker) -> None:
    breaker.pause(50, now=100.0)
    breaker.pause(1, now=100.0)

    assert breaker.allow(50, now=140.0) == 0


def test_products_that_hang_while_others_are_served_do_not_take_it_down(breaker: CircuitBreaker) -> None:
    """Even if their timeouts end long after the others' answers."""
    succeed(breaker, *range(100, 120), now=100.0)
    fail(breaker, *range(10), sent_at=99.9, now=120.0)

    assert not breaker.is_open


def test_failures_of_calls_that_were_sent_after_the_last_answer_take_it_down(breaker: CircuitBreaker) -> None:
    succeed(breaker, 1, now=100.0)
    fail(breaker, 1, 2, 3, 4, 5, sent_at=100.1, now=110.1)

    assert breaker.is_open


def test_a_probe_without_a_due_product_may_be_repeated_at_once(breaker: CircuitBreaker) -> None:
    fail(breaker, 1, 2, 3, 4, 5)
    breaker.allow(50, now=30.0)
    breaker.return_probe(now=30.0)

    assert breaker.allow(50, now=31.0) == 1
