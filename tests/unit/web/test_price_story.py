"""What the page of a product says of its price, from values alone."""

from collections.abc import Iterator
from itertools import accumulate

import pytest
from flask import Flask

from productator.prices.changes import SCALE
from productator.prices.segments import DAY, HOUR, LowestPrice
from productator.prices.summary import PriceSummary, current_price, percentile
from productator.prices.trend import trend_of
from productator.web.price_story import standing

MINUTE = HOUR // 60


@pytest.fixture(autouse=True)
def reader() -> Iterator[None]:
    """Whoever reads the page: prices are written for them."""
    app = Flask(__name__)
    app.config |= {"PRICE_DECIMALS": 0, "CURRENCY": None}
    with app.test_request_context():
        yield


def known_for(time: int) -> PriceSummary:
    """A price that was higher in the first half of the time."""
    return summary_of((20, time // 2), (10, time // 2))


def summary_of(*prices: tuple[int, int]) -> PriceSummary:
    """Of these prices, each for so long."""
    starts = accumulate((time for _, time in prices), initial=0)
    trend = trend_of(
        LowestPrice(start, start + time, price, price * SCALE, time, is_unbroken=True)
        for (price, time), start in zip(prices, starts, strict=False)
    )
    assert trend
    current = current_price(trend)
    assert current
    share = percentile(trend, current.price)
    return PriceSummary(trend, current, None, None, None, None, share, None)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (HOUR, "The lowest price of the last hour;"),
        (9 * HOUR + HOUR // 2, "The lowest price of the last 9 hours;"),
        (47 * HOUR, "The lowest price of the last 47 hours;"),
        (2 * DAY, "The lowest price of the last 2 days;"),
        (90 * DAY, "The lowest price of the last 90 days;"),
    ],
)
def test_a_price_stands_in_the_time_that_is_known(time: int, said: str) -> None:
    assert (standing(known_for(time)) or "").startswith(said)


def test_nothing_is_said_of_a_product_that_is_known_for_less_than_an_hour() -> None:
    assert standing(known_for(HOUR - 2)) is None


def test_a_price_that_was_lower_for_a_minute_is_not_the_lowest() -> None:
    fallen = summary_of((1_000, 50 * DAY), (500, MINUTE), (1_000, 39 * DAY), (900, DAY - MINUTE))
    back = summary_of((1_000, 50 * DAY), (500, MINUTE), (1_000, 40 * DAY - MINUTE))

    assert standing(fallen) == "Cheaper than 99\u00a0% of the last 90 days."
    assert standing(back) == "Dearer than 1\u00a0% of the last 90 days."
