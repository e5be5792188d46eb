"""Price history, trend and summary of a product, from stored points."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import MAX_AMOUNT, utc_now
from productator.models import PricePoint
from tests.api.checks import PRODUCTS, problem, wrong_fields
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]
Store = Callable[..., None]

MONDAY = datetime(2024, 11, 25, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALLS = ["price-history", "price-trend", "price-summary"]


@pytest.fixture
def store(sessions: sessionmaker[Session], product: Json) -> Store:
    """Stores raw points of the product: a time and the only offer's price, None if it is sold out."""

    def store(*points: tuple[datetime, int | None]) -> None:
        rows = [
            {
                "product_id": product["id"],
                "starts_at": at,
                "resolution_s": 0,
                "lowest_price": price,
                "highest_price": price,
                "average_price": None if price is None else price * 1000,
                "offers": 1,
                "items_in_stock": 0 if price is None else 3,
            }
            for at, price in points
        ]
        with sessions.begin() as session:
            session.execute(insert(PricePoint), rows)

    return store


@pytest.fixture
def rolled_up_hour(sessions: sessionmaker[Session], product: Json) -> None:
    """MONDAY's first hour, in stock for half of it, and the record after it."""
    common = {"product_id": product["id"], "lowest_price": 90, "highest_price": 300, "items_in_stock": 1}
    rolled_up = {"resolution_s": 3600, "average_price": 120_000, "mean_lowest_price": 100_400}
    known = {"covered_s": 3600.0, "in_stock_s": 1800.0}
    raw = {"resolution_s": 0, "average_price": 200_000}
    with sessions.begin() as session:
        session.add(PricePoint(starts_at=MONDAY, offers=2, **common, **rolled_up, **known))
        session.add(PricePoint(starts_at=MONDAY + HOUR, offers=2, **common, **raw))


def url(product: Json, call: str, since: object = None, until: object = None, **others: object) -> str:
    given = {"from": since, "to": until, **others}
    query = urlencode({name: text(value) for name, value in given.items() if value is not None})
    return f"{PRODUCTS}/{product['id']}/{call}?{query}"


def text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def zulu(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(client: FlaskClient, product: Json, call: str, *query: object, **others: object) -> Json:
    response = client.get(url(product, call, *query, **others))
    assert response.status_code == 200, response.text
    body: Json = response.get_json()
    return body


def priced(price: int, at: datetime) -> Json:
    return {"price": price, "at": zulu(at)}


def test_a_point_describes_its_interval(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100), (MONDAY + HOUR / 4, 200))

    assert read(client, product, "price-history", MONDAY, MONDAY + HOUR, interval="hour") == {
        "product_id": product["id"],
        "currency": None,
        "from": zulu(MONDAY),
        "to": zulu(MONDAY + HOUR),
        "interval": "hour",
        "items": [
            {
                "from": zulu(MONDAY),
                "to": zulu(MONDAY + HOUR),
                "lowest_price": 100,
                "average_price": 175.0,
                "highest_price": 200,
                "average_lowest_price": 175.0,
                "offers": 1.0,
                "items_in_stock": 3.0,
                "in_stock_share": 1.0,
            }
        ],
        "next": None,
    }


def test_what_held_at_the_start_is_carried_in(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY - 400 * DAY, 100), (MONDAY - 300 * DAY, 200))

    [point] = read(client, product, "price-history", MONDAY, MONDAY + HOUR, interval="hour")["items"]
    assert point["lowest_price"] == 200


def test_a_gap_has_points_without_prices(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100), (MONDAY + HOUR, None), (MONDAY + 2 * HOUR, 100))

    points = read(client, product, "price-history", MONDAY, MONDAY + 3 * HOUR, interval="hour")["items"]
    assert [point["lowest_price"] for point in points] == [100, None, 100]
    assert [point["in_stock_share"] for point in points] == [1, 0, 1]
    assert points[1]["average_price"] is points[1]["highest_price"] is None


def test_the_outer_points_are_cut_to_the_range(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100))
    start, end = MONDAY + HOUR / 2, MONDAY + 5 * HOUR / 2

    points = read(client, product, "price-history", start, end, interval="hour")["items"]
    edges = [start, MONDAY + HOUR, MONDAY + 2 * HOUR, end]
    assert [point["from"] for point in points] == [zulu(edge) for edge in edges[:-1]]
    assert [point["to"] for point in points] == [zulu(edge) for edge in edges[1:]]


def test_the_time_before_the_first_record_has_no_points(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store((MONDAY + 90 * MINUTE, 100))

    points = read(client, product, "price-history", MONDAY, MONDAY + 3 * HOUR, interval="hour")["items"]
    assert [point["from"] for point in points] == [zulu(MONDAY + 90 * MINUTE), zulu(MONDAY + 2 * HOUR)]


@pytest.mark.parametrize(
    ("length", "chosen"),
    [
        (HOUR, ("minute", 60)),
        (1000 * MINUTE, ("minute", 1000)),
        (1001 * MINUTE, ("hour", 17)),
        (30 * DAY, ("hour", 720)),
        (700 * DAY, ("day", 700)),
        (1001 * DAY, ("week", 143)),
    ],
)
def test_an_interval_is_chosen_that_fits(
    client: FlaskClient, product: Json, store: Store, length: timedelta, chosen: tuple[str, int]
) -> None:
    store((MONDAY - 700 * DAY, 100))

    body = read(client, product, "price-history", MONDAY - 700 * DAY, MONDAY - 700 * DAY + length)
    assert (body["interval"], len(body["items"])) == chosen


def test_a_short_history_in_a_long_range_is_shown_in_detail(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store((MONDAY, 100))

    body = read(client, product, "price-history", MONDAY - 9 * DAY, MONDAY + HOUR)
    assert (body["interval"], len(body["items"])) == ("minute", 60)


def test_too_many_points_are_refused_with_an_interval_that_fits(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store((MONDAY, 100))
    response = client.get(url(product, "price-history", MONDAY, MONDAY + 1001 * MINUTE, interval="minute"))

    [error] = problem(response, 422)["errors"]
    assert error["pointer"] == "/interval"
    assert (
        error["detail"]
        == "That would be 1,001 points, more than 1,000: the finest interval that fits is hour."
    )


def test_raw_records_come_in_pages_without_gap_or_overlap(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store(*((MONDAY + number * MINUTE, number) for number in range(2500)))
    start, end = MONDAY + MINUTE / 2, MONDAY + 2500 * MINUTE

    first = client.get(url(product, "price-history", start, end, interval="raw"))
    second = client.get(first.get_json()["next"])
    third = client.get(second.get_json()["next"])
    points = [point for page in (first, second, third) for point in page.get_json()["items"]]
    assert [len(page.get_json()["items"]) for page in (first, second, third)] == [1000, 1000, 500]
    assert [point["lowest_price"] for point in points] == list(range(2500))
    assert [point["from"] for point in points[1:]] == [point["to"] for point in points[:-1]]
    assert (points[0]["from"], points[-1]["to"], third.get_json()["next"]) == (zulu(start), zulu(end), None)
    assert first.headers["Link"] == f'<{first.get_json()["next"]}>; rel="next"'


def test_a_page_of_raw_records_that_is_just_full_is_the_last(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store(*((MONDAY + number * MINUTE, number) for number in range(1000)))

    body = read(client, product, "price-history", MONDAY, MONDAY + 1000 * MINUTE, interval="raw")
    assert (len(body["items"]), body["next"]) == (1000, None)


def test_a_rolled_up_hour_is_shown_as_it_was_stored(
    client: FlaskClient, product: Json, rolled_up_hour: None
) -> None:
    [point, _] = read(client, product, "price-history", MONDAY, MONDAY + 2 * HOUR, interval="raw")["items"]

    assert (point["lowest_price"], point["highest_price"], point["average_price"]) == (90, 300, 120)
    assert (point["average_lowest_price"], point["in_stock_share"]) == (100.4, 0.5)
    assert (point["from"], point["to"]) == (zulu(MONDAY), zulu(MONDAY + HOUR))


def test_the_mean_price_stands_for_a_rolled_up_hour(
    client: FlaskClient, product: Json, rolled_up_hour: None
) -> None:
    trend = read(client, product, "price-trend", MONDAY, MONDAY + 2 * HOUR)

    assert (trend["first"]["price"], trend["highest"]["price"], trend["last"]["price"]) == (100, 100, 90)
    assert trend["lowest"] == priced(90, MONDAY)
    # Half an hour at 100.4 and one at 90.
    assert (trend["average_price"], trend["median_price"], trend["in_stock_share"]) == (93.47, 90, 0.75)


def test_a_trend_is_weighted_by_time(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY - DAY, 5490), (MONDAY + 12 * HOUR, None), (MONDAY + 18 * HOUR, 4990))

    first, last = priced(5490, MONDAY), priced(4990, MONDAY + 18 * HOUR)
    assert read(client, product, "price-trend", MONDAY, MONDAY + DAY) == {
        "product_id": product["id"],
        "currency": None,
        "from": zulu(MONDAY),
        "to": zulu(MONDAY + DAY),
        "known_from": zulu(MONDAY),
        "in_stock_share": 0.75,
        "first": first,
        "last": last,
        "change": -500,
        "change_percent": -9.11,
        "direction": "down",
        "lowest": last,
        "highest": first,
        "average_price": 5323.33,
        "median_price": 5490,
        "reason": None,
    }


def test_a_trend_without_records_says_so(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100))

    trend = read(client, product, "price-trend", MONDAY - DAY, MONDAY)
    assert trend["reason"] == "no_history"
    assert trend["first"] is trend["in_stock_share"] is trend["known_from"] is trend["direction"] is None


def test_a_trend_of_a_product_that_was_never_in_stock_says_so(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store((MONDAY, None))

    trend = read(client, product, "price-trend", MONDAY, MONDAY + DAY)
    assert (trend["reason"], trend["in_stock_share"], trend["first"]) == ("never_in_stock", 0, None)


def test_there_is_no_percentage_of_a_first_price_of_zero(
    client: FlaskClient, product: Json, store: Store
) -> None:
    store((MONDAY, 0), (MONDAY + HOUR, 100))

    trend = read(client, product, "price-trend", MONDAY, MONDAY + DAY)
    assert (trend["change"], trend["change_percent"], trend["reason"]) == (100, None, "first_price_zero")


def test_the_largest_prices_are_exact(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, MAX_AMOUNT), (MONDAY + HOUR, MAX_AMOUNT - 1))

    trend = read(client, product, "price-trend", MONDAY, MONDAY + 3 * HOUR)
    assert (trend["first"]["price"], trend["change"], trend["median_price"]) == (
        MAX_AMOUNT,
        -1,
        MAX_AMOUNT - 1,
    )


def test_the_future_is_cut_off(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100))
    before = zulu(utc_now())

    trend = read(client, product, "price-trend", MONDAY, "2999-01-01T00:00:00Z")
    assert before <= trend["to"] <= zulu(utc_now())


@pytest.mark.parametrize(
    "given",
    [
        ("2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("2999-01-01T00:00:00Z", None),
        ("9999-12-31T23:00:00Z", "9999-12-31T23:30:00Z"),
        ("1950-01-01T00:00:00Z", "1960-01-01T00:00:00Z"),
        (None, "1960-01-01T00:00:00Z"),
        (MONDAY, MONDAY),
    ],
)
@pytest.mark.parametrize("query", [{}, {"interval": "hour"}, {"interval": "raw"}])
def test_a_range_without_any_past_is_empty(
    client: FlaskClient, product: Json, store: Store, given: tuple[object, object], query: Json
) -> None:
    store((MONDAY - DAY, 100))

    history = read(client, product, "price-history", *given, **query)
    trend = read(client, product, "price-trend", *given)
    assert (history["items"], history["next"]) == ([], None)
    assert (trend["reason"], trend["first"], trend["known_from"]) == ("no_history", None, None)
    assert history["from"] <= history["to"] <= zulu(utc_now())


@pytest.mark.parametrize("call", ["price-history", "price-trend"])
def test_the_range_is_the_last_30_days_if_not_given(client: FlaskClient, product: Json, call: str) -> None:
    body = read(client, product, call)

    start, end = (datetime.fromisoformat(body[edge]) for edge in ("from", "to"))
    assert end - start == timedelta(days=30)
    assert timedelta(0) <= utc_now() - end < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        (("2024-11-25",), {"/from"}),
        (("2024-11-25T00:00:00", "2024-11-25 00:00:00Z"), {"/from", "/to"}),
        (("1732492800",), {"/from"}),
        (("2024-02-30T00:00:00Z",), {"/from"}),
        (("2024-11-25T00:00:00Z", "2024-11-25T00:30:00+01:00"), {"/from"}),
        (("2999-11-25T00:00:00Z", "2998-11-25T00:00:00Z"), {"/from"}),
    ],
)
@pytest.mark.parametrize("call", ["price-history", "price-trend"])
@SENDS_NO_SQL
def test_an_unacceptable_range_is_refused(
    client: FlaskClient, product: Json, call: str, given: tuple[str, ...], pointers: set[str]
) -> None:
    assert wrong_fields(client.get(url(product, call, *given))) == pointers


@SENDS_NO_SQL
def test_an_unknown_interval_is_refused(client: FlaskClient, product: Json) -> None:
    assert wrong_fields(client.get(url(product, "price-history", interval="year"))) == {"/interval"}


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_product_is_not_found(client: FlaskClient, call: str) -> None:
    problem(client.get(url({"id": 999_999_999}, call)), 404)


@pytest.mark.parametrize("call", CALLS)
def test_another_products_prices_do_not_count(
    client: FlaskClient, other_product: Json, store: Store, call: str
) -> None:
    store((utc_now() - DAY, 100))

    body = read(client, other_product, call)
    assert (body.get("items", []), body.get("reason", "no_history")) == ([], "no_history")


def test_unchanged_figures_are_not_sent_again(client: FlaskClient, product: Json, store: Store) -> None:
    store((MONDAY, 100))
    address = url(product, "price-trend", MONDAY, MONDAY + DAY)
    tag = client.get(address).headers["ETag"]

    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_a_summary_compares_the_price_with_its_past(client: FlaskClient, product: Json, store: Store) -> None:
    now = utc_now()
    history = [(400, 50), (100, 500), (50, 300), (40, 400), (20, 450), (8, None), (5, 420)]
    store(*((now - days * DAY, price) for days, price in history))

    summary = read(client, product, "price-summary")
    assert summary["current"] == summary["lowest_7_days"] == priced(420, now - 5 * DAY)
    assert summary["lowest_30_days"]["price"] == 400
    assert summary["lowest_90_days"] == priced(300, now - 50 * DAY)
    assert summary["lowest_all_time"] == priced(50, now - 400 * DAY)
    assert summary["reference"]["price"] == 400
    # 10 days at 300 and 20 at 400 are cheaper, of 87 in stock.
    assert summary["percentile_90_days"] == 34.48
    assert summary["reason"] is None


# (days ago, price; None: sold out), and what a reduction to the price now is measured by.
_REDUCTIONS: dict[str, tuple[list[tuple[int, int | None]], int | None]] = {
    "still in stock": ([(40, 100), (10, 80)], 100),
    "sold out for a day": ([(40, 100), (10, 80), (5, None), (4, 80)], 100),
    "sold out twice": ([(40, 100), (10, 80), (8, None), (7, 80), (5, None), (4, 80)], 100),
    "sold out for 29 days": ([(60, 100), (35, 80), (33, None), (4, 80)], 100),
    "sold out for 30 days": ([(60, 100), (35, 80), (34, None), (4, 80)], None),
    "the old price in between": ([(40, 100), (10, 80), (5, 100), (4, 80)], 80),
    "a lower price after it was sold out": ([(40, 100), (10, 80), (5, None), (4, 70)], 80),
    "a higher price after it was sold out": ([(40, 100), (10, 80), (5, None), (4, 90)], 80),
    "sold out before the reduction": ([(40, 100), (10, None), (5, 80)], 100),
    "reduced before the 90 days": ([(120, 100), (100, 80), (50, None), (40, 80)], None),
}


@pytest.mark.parametrize(("history", "reference"), _REDUCTIONS.values(), ids=_REDUCTIONS)
def test_running_out_of_stock_does_not_end_a_reduction(
    client: FlaskClient,
    product: Json,
    store: Store,
    history: list[tuple[int, int | None]],
    reference: int | None,
) -> None:
    now = utc_now()
    store(*((now - days * DAY, price) for days, price in history))
    found = read(client, product, "price-summary")["reference"]

    assert (found and found["price"]) == reference


def test_a_summary_of_a_sold_out_product_says_so(client: FlaskClient, product: Json, store: Store) -> None:
    now = utc_now()
    store((now - 5 * DAY, 100), (now - HOUR, None))

    summary = read(client, product, "price-summary")
    assert (summary["reason"], summary["current"]) == ("not_in_stock", None)
    assert summary["percentile_90_days"] is summary["reference"] is None
    assert summary["lowest_30_days"] == summary["lowest_all_time"] == priced(100, now - 5 * DAY)


def test_a_summary_without_records_says_so(client: FlaskClient, product: Json) -> None:
    summary = read(client, product, "price-summary")

    assert summary["reason"] == "no_history"
    assert summary["known_from"] is summary["lowest_all_time"] is summary["current"] is None
