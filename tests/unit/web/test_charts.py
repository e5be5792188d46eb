"""Charts: places, ticks and paths, from values alone."""

import pytest

from productator.web.charts.price_chart import price_chart
from productator.web.charts.scales import Scale, ticks, time_ticks
from productator.web.charts.sparkline import sparkline
from productator.web.charts.steps import Step, band, line, merged

HOUR, DAY = 3600, 86_400
X, Y = Scale(0, 10, 0, 100), Scale(0, 100, 100, 0)


def test_a_value_outside_of_the_scale_lies_on_its_edge() -> None:
    assert [X.at(value) for value in (-5, 0, 5, 10, 99)] == [0, 0, 50, 100, 100]


def test_a_scale_of_one_value_puts_it_in_the_middle() -> None:
    assert Scale(7, 7, 0, 100).at(7) == 50


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (13_000, 19_000, [14_000, 16_000, 18_000]),
        (3, 5, [3, 4, 5]),
        (7, 7, [7]),
    ],
)
def test_ticks_are_round_numbers_between_both(low: int, high: int, found: list[int]) -> None:
    assert ticks(low, high, most=5) == found


def test_ticks_of_a_day_are_hours_and_of_a_month_days() -> None:
    assert list(time_ticks(0, DAY, most=8)) == [(each * 3 * HOUR, False) for each in range(9)]
    assert next(iter(time_ticks(HOUR, 30 * DAY, most=7))) == (7 * DAY, True)


def test_ticks_of_minutes_are_minutes() -> None:
    assert list(time_ticks(30, 630, most=7)) == [(each * 120, False) for each in range(1, 6)]


def test_ten_years_have_few_ticks() -> None:
    assert 2 <= len(list(time_ticks(0, 3_650 * DAY, most=7))) <= 8


def test_a_price_holds_until_the_next_one_and_does_not_slide() -> None:
    assert line([Step(0, 5, 10, 10), Step(5, 10, 40, 40)], X, Y) == "M0 90H50V60H100"


def test_time_without_stock_is_a_gap() -> None:
    steps = [Step(0, 2, 10, 10), Step(2, 5, None, None), Step(5, 10, 40, 40)]

    assert line(steps, X, Y) == "M0 90H20M50 60H100"


def test_the_band_reaches_from_the_lowest_to_the_highest_price() -> None:
    assert band([Step(0, 5, 10, 30), Step(5, 10, 40, 40)], X, Y) == "M0 90V70H50V90z"


def test_equal_steps_that_follow_each_other_are_one() -> None:
    steps = [Step(0, 2, 10, 10), Step(2, 5, 10, 10), Step(6, 7, 10, 10), Step(7, 8, 11, 11)]

    assert list(merged(steps)) == [Step(0, 5, 10, 10), Step(6, 7, 10, 10), Step(7, 8, 11, 11)]


def test_a_sparkline_ends_at_the_right_edge_with_the_price_now() -> None:
    drawn = sparkline([100, 100, 50], days=31)

    assert 'd="M105.7 3H113.2V25H117"' in drawn
    assert '<circle cx="117" cy="25" r="2.5"/>' in drawn


def test_a_sparkline_without_stock_now_has_no_dot_and_without_any_price_is_empty() -> None:
    assert "circle" not in sparkline([100, None])
    assert sparkline([None, None]) == ""
    assert sparkline([]) == ""


def test_fifty_sparklines_of_31_days_are_small() -> None:
    lows = [1_000 + 37 * day % 300 for day in range(31)]

    assert 50 * len(sparkline(lows)) < 30_000


def test_the_axis_is_fitted_to_the_lowest_price_and_cuts_a_band_far_above_it() -> None:
    chart = price_chart([Step(0, DAY, 1_000, 9_000), Step(DAY, 2 * DAY, 1_100, 9_000)], 0, 2 * DAY, label=str)

    assert chart
    assert chart.is_cut
    labels = [int(label) for _, label in chart.price_ticks]
    assert min(labels) >= 950
    assert max(labels) <= 1_300


def test_a_price_that_never_changed_has_a_chart() -> None:
    chart = price_chart([Step(0, DAY, 1_000, 1_000)], 0, DAY, label=str)

    assert chart
    assert not chart.is_cut
    assert chart.line.startswith("M0 ")
    assert chart.price_ticks


def test_the_price_now_is_a_point_which_is_seen_when_its_line_is_not() -> None:
    chart = price_chart([Step(599, 600, 0, 0)], 0, 600, label=str)

    assert chart
    assert '<path class="line now" d="M1000 240h0"/>' in chart.path


def test_a_product_that_is_not_in_stock_now_has_no_point() -> None:
    chart = price_chart([Step(0, 300, 10, 10), Step(300, 600, None, None)], 0, 600, label=str)

    assert chart
    assert 'class="line now"' not in chart.path


def test_nothing_in_stock_has_no_chart() -> None:
    assert price_chart([Step(0, DAY, None, None)], 0, DAY, label=str) is None


def test_lines_of_offers_have_gaps_of_their_own_and_widen_the_axis() -> None:
    low, dear = (
        [Step(0, DAY, 1_000, 2_000)],
        [Step(0, DAY // 2, 2_000, None), Step(DAY // 2, DAY, None, None)],
    )
    without = price_chart(low, 0, DAY, label=str)
    chart = price_chart(low, 0, DAY, label=str, offers=[low, dear])

    assert chart
    assert without
    assert without.offers == []
    assert [each.partition("H")[2] for each in chart.offers] == ["1000", "500"]
    assert max(int(label) for _, label in chart.price_ticks) >= 2_000
    assert 'class="offer offer-2"' in chart.path
