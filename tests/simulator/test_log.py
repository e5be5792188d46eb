"""The log of requests."""

import json
from typing import Any

import pytest
import requests

from simulator.log import Outcome, RequestLog
from tests.simulator.conftest import Customer

READ = Outcome("offers", 200, None)


def entries(log: RequestLog, *, since: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.json_lines(since=since)]


def filled(count: int, *, limit: int = 1_000, chunk: int = 100) -> RequestLog:
    log = RequestLog(limit=limit, chunk=chunk)
    for number in range(count):
        log.append(float(number), READ, product=f"product {number}", tick=number)
    return log


def test_an_entry_tells_all_about_a_request() -> None:
    log = RequestLog()
    log.append(1.5, Outcome("offers", None, "reset"), product="lamp", tick=None)

    assert entries(log) == [
        {"n": 1, "time": 1.5, "call": "offers", "product": "lamp", "status": None, "fault": "reset"}
    ]


def test_reading_since_a_number_gives_what_came_after_it() -> None:
    assert [entry["n"] for entry in entries(filled(5), since=3)] == [4, 5]


def test_clearing_empties_the_log_and_numbers_go_on() -> None:
    log = filled(3)
    log.clear()
    log.append(1.0, READ, product=None, tick=None)

    assert [entry["n"] for entry in entries(log)] == [4]
    assert log.counts()["offers"] == {"200": 1}


def test_a_full_log_forgets_the_oldest_entries() -> None:
    log = filled(25, limit=20, chunk=10)

    kept = [entry["n"] for entry in entries(log)]

    assert kept[-1] == 25
    assert 10 <= len(kept) <= 20
    assert log.counts()["offers"] == {"200": 25}


def test_requests_are_logged_in_order_with_what_was_shown(customer: Customer) -> None:
    tick = customer.simulator.control("GET", "clock")["tick"]
    customer.offers()
    customer.simulator.set_faults({"kind": "empty"})
    customer.offers()

    logged = [
        {name: entry.get(name) for name in ("call", "product", "status", "fault", "tick")}
        for entry in customer.simulator.log()
    ]

    about_product = {"product": customer.product, "fault": None, "tick": None}
    assert logged == [
        {"call": "auth", "product": None, "status": 201, "fault": None, "tick": None},
        {"call": "register", "status": 201} | about_product,
        {"call": "offers", "status": 200} | about_product | {"tick": tick},
        {"call": "offers", "status": 200} | about_product | {"fault": "empty"},
    ]


@pytest.mark.parametrize("kind", ["timeout", "reset", "close"])
def test_a_request_without_an_answer_is_logged_without_a_status(customer: Customer, kind: str) -> None:
    customer.simulator.set_faults({"kind": kind})
    with pytest.raises(requests.RequestException):
        customer.offers(timeout=0.3)

    assert customer.simulator.log()[-1].items() >= {"status": None, "fault": kind}.items()
    assert customer.simulator.control("GET", "counts")["offers"] == {"none": 1}


@pytest.mark.parametrize("kind", ["latency", "drip", "drip_headers", "extra_fields"])
def test_a_fault_that_shows_the_market_is_logged_with_its_tick(customer: Customer, kind: str) -> None:
    customer.simulator.set_faults({"kind": kind} | ({} if kind == "extra_fields" else {"seconds": 0}))
    customer.offers()

    assert "tick" in customer.simulator.log()[-1]


def test_counts_are_by_call_and_status(customer: Customer) -> None:
    customer.offers()
    customer.simulator.offers("nobody", customer.product)

    assert customer.simulator.control("GET", "counts") == {
        "auth": {"201": 1},
        "register": {"201": 1},
        "offers": {"200": 1, "401": 1},
    }
