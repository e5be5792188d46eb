"""How many calls may be under way, with the test's clock."""

import pytest

from refresher.fetching.concurrency import ConcurrencyLimit

QUICK_S = 0.1


class Service:
    """Answers all calls that the limit lets through, round by round."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        self._limit = limit
        self.now = 1_000.0

    def answers(self, *, rounds: int, each_takes_s: float = QUICK_S) -> None:
        for _ in range(rounds):
            sent_at, self.now = self.now, self.now + each_takes_s
            for _ in range(self._limit.value):
                self._limit.answered(sent_at=sent_at, now=self.now)

    def refuses(self, *, rounds: int = 1) -> None:
        for _ in range(rounds):
            sent_at, self.now = self.now, self.now + QUICK_S
            for _ in range(self._limit.value):
                self._limit.refused(sent_at=sent_at, now=self.now)


@pytest.fixture
def limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(512)


@pytest.fixture
def service(limit: ConcurrencyLimit) -> Service:
    return Service(limit)


def test_it_begins_carefully(limit: ConcurrencyLimit) -> None:
    assert limit.value == 64


@pytest.mark.parametrize("most", [1, 2, 4, 63])
def test_it_never_exceeds_what_is_allowed(most: int) -> None:
    limit = ConcurrencyLimit(most)
    Service(limit).answers(rounds=10)

    assert limit.value == most


def test_it_doubles_with_each_round_up_to_what_is_allowed(limit: ConcurrencyLimit, service: Service) -> None:
    limits = []
    for _ in range(4):
        service.answers(rounds=1)
        limits.append(limit.value)

    assert limits == [128, 256, 512, 512]


def test_refusals_of_one_round_halve_it_once(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()

    assert limit.value == 256


def test_a_service_that_refuses_everything_gets_few_calls(limit: ConcurrencyLimit, service: Service) -> None:
    service.refuses(rounds=50)

    assert limit.value == 4


def test_after_a_refusal_it_grows_step_by_step(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()
    service.answers(rounds=1)

    assert 256 < limit.value < 270


def test_a_few_seconds_after_a_refusal_it_is_as_before(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()
    service.answers(rounds=50)

    assert limit.value == 512


def test_it_falls_while_every_answer_is_slow(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=10, each_takes_s=5 * QUICK_S)

    assert limit.value < 512 / 4


def test_it_grows_again_when_the_service_is_quick_again(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=10, each_takes_s=5 * QUICK_S)
    service.answers(rounds=100)

    assert limit.value == 512


def test_a_service_that_stays_slow_gets_all_calls_again(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=1_000, each_takes_s=5 * QUICK_S)

    assert limit.value == 512


def test_slow_answers_beside_quick_ones_are_our_own_pauses(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    for _ in range(20):
        sent_at, service.now = service.now, service.now + 1
        for number in range(512):
            late = 0 if number else 1 - QUICK_S
            limit.answered(sent_at=sent_at, now=service.now - late)

    assert limit.value == 512


def test_milliseconds_are_never_slow(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10, each_takes_s=0.001)
    service.answers(rounds=10, each_takes_s=0.04)

    assert limit.value == 512


def test_after_an_outage_it_begins_with_few_and_doubles(limit: ConcurrencyLimit, service: Service) -> None:
    service.answers(rounds=10)
    limit.restart()
    limits = [limit.value]
    for _ in range(3):
        service.answers(rounds=1)
        limits.append(limit.value)

    assert limits == [4, 8, 16, 32]
