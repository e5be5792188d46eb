"""The lows of the last days: what a change, a new day and a clock do to them."""

import pytest

from productator.prices.changes import SCALE
from productator.prices.day_lows import DAYS, DayLows, as_of, lows_in, observed, of_history, text_of
from productator.prices.segments import DAY, LowestPrice

TODAY = 20_000


def known(*lows: int | None, price: int | None = None, day: int = TODAY) -> DayLows:
    return DayLows(price if price is not None else lows[-1], day, lows)


def held(price: int | None, start: float, end: float) -> LowestPrice:
    """Times in days."""
    begin, until = int(start * DAY), int(end * DAY)
    if price is None:
        return LowestPrice(begin, until, 0, 0, 0, False)
    return LowestPrice(begin, until, price, price * SCALE, until - begin, True)


def test_the_first_price_is_the_low_of_today() -> None:
    assert observed(None, 100, today=TODAY) == known(100)


def test_only_a_lower_price_changes_the_low_of_a_day() -> None:
    assert observed(known(100), 90, today=TODAY) == known(90)
    assert observed(known(100), 110, today=TODAY) == known(100, price=110)


def test_running_out_of_stock_keeps_the_low_of_the_day() -> None:
    assert observed(known(100), None, today=TODAY) == DayLows(None, TODAY, (100,))


def test_days_without_a_change_have_the_price_that_held() -> None:
    assert observed(known(100, price=120), 130, today=TODAY + 3) == DayLows(
        130, TODAY + 3, (100, 120, 120, 120)
    )


def test_only_so_many_days_are_kept() -> None:
    later = as_of(known(*range(1, DAYS + 1)), today=TODAY + 2)

    assert later.lows == (*range(3, DAYS + 1), DAYS, DAYS)
    assert len(as_of(known(7), today=TODAY + 10_000).lows) == DAYS


def test_days_that_a_clock_ahead_has_invented_are_dropped() -> None:
    assert as_of(known(100, 90, 80, day=TODAY + 2), today=TODAY) == DayLows(80, TODAY, (100,))


@pytest.mark.parametrize(
    ("lows", "permille"),
    [
        ((100, 90), -100),
        ((100, 100), 0),
        ((None, 100, 130), 300),
        ((0, 5), None),
        ((100,), 0),
        ((10_000, 9_999), 0),
        ((10_000, 10_001), 0),
        ((10_000, 9_995), -1),
        ((10_000, 10_005), 1),
    ],
)
def test_the_change_is_from_the_first_known_day(lows: tuple[int | None, ...], permille: int | None) -> None:
    assert known(*lows).change_permille == permille


def test_without_a_price_now_there_is_no_change_and_no_low() -> None:
    gone = DayLows(None, TODAY, (100, 90))

    assert gone.change_permille is None
    assert not gone.is_lowest


def test_a_low_of_all_days_needs_a_day_that_was_dearer() -> None:
    assert known(100, 90).is_lowest
    assert not known(90, 100).is_lowest
    assert not known(90, 90).is_lowest


def test_lows_are_kept_as_text() -> None:
    lows = (1, None, 2**53 - 1)

    assert lows_in(text_of(lows)) == lows
    assert len(text_of((2**53 - 1,) * DAYS)) <= 600


def test_history_gives_the_lows_of_its_days() -> None:
    first = TODAY - 2
    history = [
        held(100, first + 0.5, first + 1.25),
        held(None, first + 1.25, TODAY),
        held(80, TODAY, TODAY + 0.5),
    ]

    assert of_history(history, 90, today=TODAY) == DayLows(90, TODAY, (100, 100, 80))


def test_a_day_of_history_without_stock_is_a_gap() -> None:
    history = [held(100, TODAY - 2, TODAY - 1), held(None, TODAY - 1, TODAY)]

    assert of_history(history, None, today=TODAY) == DayLows(None, TODAY, (100, None, None))


def test_without_history_there_is_the_price_now() -> None:
    assert of_history([], 90, today=TODAY) == known(90)
