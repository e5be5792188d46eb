"""The log of requests."""

import json
from typing import Any

import pytest
import requests

from simulator.log import RequestLog, RequestOutcome
from tests.simulator.conftest import Tenant

READ = RequestOutcome("offers", 200, None)


def entries(log: RequestLog, *, since: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.json_lines(since=since)]


def filled(count: int, *, limit: int = 1_000, chunk: int = 100) -> RequestLog:
    log = RequestLog(limit=limit, chunk=chunk)
    for number in range(count):
        log.append(float(number), READ, product=f"product {number}", tick=number)
    return log


def test_an_entry_has_all_facts_of_a_request() -> None:
    log = RequestLog()
    log.append(1.5, RequestOutcome("offers", None, "reset"), product="lamp", tick=None)

    assert entries(log) == [
        {"n": 1, "time": 1.5, "call": "offers", "product": "lamp", "status": None, "fault": "reset"}
    ]


def test_reading_since_a_number_gives_what_came_after_it() -> None:
    assert [entry["n"] for entry in entries(filled(5), since=3)] == [4, 5]


def test_clearing_empties_the_log_and_numbering_continues() -> None:
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


def test_requests_are_logged_in_order_with_what_was_shown(tenant: Tenant) -> None:
    tick = tenant.simulator.control("GET", "clock")["tick"]
    tenant.offers()
    tenant.simulator.set_faults({"kind": "empty"})
    tenant.offers()

    logged = [
        {name: entry.get(name) for name in ("call", "product", "status", "fault", "tick")}
        for entry in tenant.simulator.log()
    ]

    about_product = {"product": tenant.product, "fault": None, "tick": None}
    assert logged == [
        {"call": "auth", "product": None, "status": 201, "fault": None, "tick": None},
        {"call": "register", "status": 201} | about_product,
        {"call": "offers", "status": 200} | about_product | {"tick": tick},
        {"call": "offers", "status": 200} | about_product | {"fault": "empty"},
    ]


@pytest.mark.parametrize("kind", ["timeout", "reset", "close"])
def test_a_request_without_an_answer_is_logged_without_a_status(tenant: Tenant, kind: str) -> None:
    tenant.simulator.set_faults({"kind": kind})
    with pytest.raises(requests.RequestException):
        tenant.offers(timeout=0.3)

    assert tenant.simulator.log()[-1].items() >= {"status": None, "fault": kind}.items()
    assert tenant.simulator.control("GET", "counts")["offers"] == {"none": 1}


@pytest.mark.parametrize("kind", ["latency", "drip", "drip_headers", "extra_fields"])
def test_a_fault_that_shows_the_market_is_logged_with_its_tick(tenant: Tenant, kind: str) -> None:
    tenant.simulator.set_faults({"kind": kind} | ({} if kind == "extra_fields" else {"seconds": 0}))
    tenant.offers()

    assert "tick" in tenant.simulator.log()[-1]


def test_counts_are_by_call_and_status(tenant: Tenant) -> None:
    tenant.offers()
    tenant.simulator.offers("nobody", tenant.product)

    assert tenant.simulator.control("GET", "counts") == {
        "auth": {"201": 1},
        "register": {"201": 1},
        "offers": {"200": 1, "401": 1},
    }
