"""The circuit breaker."""

import pytest

from refresher.fetching.circuit_breaker import LONGEST_PAUSE_S, ServiceHealth

PROBE_EVERY_S = 30.0


@pytest.fixture
def health() -> ServiceHealth:
    """Of a service that has answered once."""
    health = ServiceHealth(probe_every_s=PROBE_EVERY_S)
    succeed(health, 0)
    return health


def record(
    health: ServiceHealth, *products: int, succeeded: bool, now: float = 0.0, sent_at: float | None = None
) -> list[bool]:
    """Whether each of the outcomes made the service recover; calls are sent now unless told otherwise."""
    sent_at = now if sent_at is None else sent_at
    return [health.record(each, succeeded=succeeded, sent_at=sent_at, now=now) for each in products]


def succeed(health: ServiceHealth, *products: int, now: float = 0.0) -> list[bool]:
    return record(health, *products, succeeded=True, now=now)


def fail(health: ServiceHealth, *products: int, now: float = 0.0, sent_at: float | None = None) -> list[bool]:
    return record(health, *products, succeeded=False, now=now, sent_at=sent_at)


def test_a_new_service_is_taken_to_be_well(health: ServiceHealth) -> None:
    assert not health.is_down
    assert not health.is_failing
    assert health.allowed(100, now=0.0) == 100


def test_the_first_answer_is_told_as_a_recovery_once() -> None:
    health = ServiceHealth(probe_every_s=PROBE_EVERY_S)

    assert fail(health, 1) + succeed(health, 1, 2) == [False, True, False]


def test_five_failures_in_a_row_mean_that_it_is_down(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4)
    assert not health.is_down

    fail(health, 5)
    assert health.is_down


def test_a_success_between_failures_keeps_it_up(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4)
    succeed(health, 5)
    fail(health, 1, 2, 3, 4)

    assert not health.is_down


def test_malformed_answers_do_not_mean_that_it_is_down(health: ServiceHealth) -> None:
    for product in range(20):
        health.record(product, succeeded=False, answered=True, sent_at=0.0, now=0.0)

    assert not health.is_down
    assert health.is_failing


def test_a_malformed_answer_to_a_probe_says_that_it_is_up_again(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)
    health.record(6, succeeded=False, answered=True, sent_at=30.0, now=30.0)

    assert not health.is_down
    assert health.allowed(50, now=30.0) == 50


def test_nothing_is_asked_right_after_it_went_down(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5, now=100.0)

    assert health.allowed(50, now=100.0) == 0
    assert health.allowed(50, now=129.9) == 0


def test_a_service_that_is_down_is_probed_once_a_period(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)

    allowed = [health.allowed(50, now=float(now)) for now in range(91)]

    assert [now for now, count in enumerate(allowed) if count] == [30, 60, 90]
    assert max(allowed) == 1


def test_a_failed_probe_leaves_it_down(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)
    health.allowed(50, now=30.0)

    assert fail(health, 1, now=31.0) == [False]
    assert health.is_down
    assert health.allowed(50, now=31.0) == 0


def test_a_success_ends_the_pause_at_once(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)
    health.allowed(50, now=30.0)

    succeed(health, 1, now=31.0)

    assert not health.is_down
    assert health.allowed(50, now=31.0) == 50


def test_a_recovery_is_told_once(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)

    assert succeed(health, 1, 2, 3) == [True, False, False]


def test_a_service_that_was_well_does_not_recover(health: ServiceHealth) -> None:
    fail(health, 1, 2)

    assert succeed(health, 1, 2, 3) == [False, False, False]


def test_one_bad_product_among_many_never_makes_it_failing(health: ServiceHealth) -> None:
    told = [succeed(health, 2, 3, 4) + fail(health, 1) for _ in range(100)]

    assert not health.is_failing
    assert not any(any(each) for each in told)


def test_many_products_failing_between_successes_are_the_services_fault(health: ServiceHealth) -> None:
    for product in range(5):
        fail(health, product)
        succeed(health, 100 + product)

    assert health.is_failing
    assert not health.is_down


def test_a_service_that_fails_in_part_is_still_asked_for_everything(health: ServiceHealth) -> None:
    for product in range(5):
        fail(health, product)
        succeed(health, 100 + product)

    assert health.allowed(50, now=0.0) == 50


def test_few_failures_among_many_successes_are_not_the_services_fault(health: ServiceHealth) -> None:
    succeed(health, *range(100, 145))
    fail(health, 1, 2)
    succeed(health, 145)
    fail(health, 3, 4, 5)

    assert not health.is_failing


def test_the_end_of_partial_failures_is_told_once(health: ServiceHealth) -> None:
    for product in range(5):
        fail(health, product)
        succeed(health, 100 + product)

    assert succeed(health, *range(200, 260)).count(True) == 1
    assert not health.is_failing


def test_a_pause_that_the_service_asks_for_is_kept(health: ServiceHealth) -> None:
    health.pause(10, now=100.0)

    assert health.allowed(50, now=109.9) == 0
    assert health.allowed(50, now=110.0) == 50


def test_a_pause_is_capped(health: ServiceHealth) -> None:
    health.pause(86_400, now=100.0)

    assert health.allowed(50, now=100.0 + LONGEST_PAUSE_S) == 50


def test_a_shorter_pause_does_not_end_a_longer_one(health: ServiceHealth) -> None:
    health.pause(50, now=100.0)
    health.pause(1, now=100.0)

    assert health.allowed(50, now=140.0) == 0


def test_products_that_hang_while_others_are_served_do_not_take_it_down(health: ServiceHealth) -> None:
    """However long after the others' answers their own time is over."""
    succeed(health, *range(100, 120), now=100.0)
    fail(health, *range(10), sent_at=99.9, now=120.0)

    assert not health.is_down


def test_failures_of_calls_that_were_sent_after_the_last_answer_take_it_down(health: ServiceHealth) -> None:
    succeed(health, 1, now=100.0)
    fail(health, 1, 2, 3, 4, 5, sent_at=100.1, now=110.1)

    assert health.is_down


def test_a_probe_that_found_nothing_due_is_not_spent(health: ServiceHealth) -> None:
    fail(health, 1, 2, 3, 4, 5)
    health.allowed(50, now=30.0)
    health.probe_unspent(now=30.0)

    assert health.allowed(50, now=31.0) == 1
