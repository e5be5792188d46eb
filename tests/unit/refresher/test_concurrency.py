"""How many calls may be under way, led by hand with a clock of the test's."""

import pytest

from refresher.fetching.concurrency import Window

QUICK_S = 0.1


class Service:
    """Answers all calls that the window lets through, round by round."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.now = 1_000.0

    def answers(self, *, rounds: int, each_takes_s: float = QUICK_S) -> None:
        for _ in range(rounds):
            sent_at, self.now = self.now, self.now + each_takes_s
            for _ in range(self._window.width):
                self._window.answered(sent_at=sent_at, now=self.now)

    def refuses(self, *, rounds: int = 1) -> None:
        for _ in range(rounds):
            sent_at, self.now = self.now, self.now + QUICK_S
            for _ in range(self._window.width):
                self._window.refused(sent_at=sent_at, now=self.now)


@pytest.fixture
def window() -> Window:
    return Window(512)


@pytest.fixture
def service(window: Window) -> Service:
    return Service(window)


def test_it_begins_carefully(window: Window) -> None:
    assert window.width == 64


@pytest.mark.parametrize("most", [1, 2, 4, 63])
def test_it_never_exceeds_what_is_allowed(most: int) -> None:
    window = Window(most)
    Service(window).answers(rounds=10)

    assert window.width == most


def test_it_doubles_with_each_round_up_to_what_is_allowed(window: Window, service: Service) -> None:
    widths = []
    for _ in range(4):
        service.answers(rounds=1)
        widths.append(window.width)

    assert widths == [128, 256, 512, 512]


def test_refusals_of_one_round_halve_it_once(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()

    assert window.width == 256


def test_a_service_that_refuses_everything_is_asked_a_little(window: Window, service: Service) -> None:
    service.refuses(rounds=50)

    assert window.width == 4


def test_after_a_refusal_it_grows_step_by_step(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()
    service.answers(rounds=1)

    assert 256 < window.width < 270


def test_it_is_as_wide_as_before_a_few_seconds_after_a_refusal(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.refuses()
    service.answers(rounds=50)

    assert window.width == 512


def test_it_narrows_while_every_answer_is_slow(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=10, each_takes_s=5 * QUICK_S)

    assert window.width < 512 / 4


def test_it_grows_again_when_the_service_is_quick_again(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=10, each_takes_s=5 * QUICK_S)
    service.answers(rounds=100)

    assert window.width == 512


def test_a_service_that_stays_slow_is_taken_as_it_is(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    service.answers(rounds=1_000, each_takes_s=5 * QUICK_S)

    assert window.width == 512


def test_slow_answers_beside_quick_ones_are_our_own_pauses(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    for _ in range(20):
        sent_at, service.now = service.now, service.now + 1
        for number in range(512):
            late = 0 if number else 1 - QUICK_S
            window.answered(sent_at=sent_at, now=service.now - late)

    assert window.width == 512


def test_milliseconds_are_never_slow(window: Window, service: Service) -> None:
    service.answers(rounds=10, each_takes_s=0.001)
    service.answers(rounds=10, each_takes_s=0.04)

    assert window.width == 512


def test_after_an_outage_it_begins_with_few_and_doubles(window: Window, service: Service) -> None:
    service.answers(rounds=10)
    window.restart()
    widths = [window.width]
    for _ in range(3):
        service.answers(rounds=1)
        widths.append(window.width)

    assert widths == [4, 8, 16, 32]
