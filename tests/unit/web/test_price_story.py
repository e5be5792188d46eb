"""What the page of a product says of its price, from values alone."""

from collections.abc import Iterator

import pytest
from flask import Flask

from productator.prices.changes import SCALE
from productator.prices.segments import DAY, HOUR, LowestPrice
from productator.prices.summary import PriceSummary, current_price, percentile
from productator.prices.trend import trend_of
from productator.web.price_story import standing


@pytest.fixture(autouse=True)
def reader() -> Iterator[None]:
    """Whoever reads the page: prices are written for them."""
    app = Flask(__name__)
    app.config |= {"PRICE_DECIMALS": 0, "CURRENCY": None}
    with app.test_request_context():
        yield


def known_for(time: int) -> PriceSummary:
    """A price that was higher in the first half of the time."""
    half = time // 2
    trend = trend_of(
        LowestPrice(start, start + half, price, price * SCALE, half, is_unbroken=True)
        for start, price in ((0, 20), (half, 10))
    )
    assert trend
    return PriceSummary(trend, current_price(trend), None, None, None, None, percentile(trend, 10), None)


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
