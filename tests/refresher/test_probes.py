"""The refresher's probes and metrics, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from prometheus_client import CollectorRegistry, Counter

from productator.workers import probes


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@contextmanager
def served(
    registry: CollectorRegistry, *, longest_s: float = 3600, has_database: bool = True
) -> Iterator[str]:
    heartbeat = probes.Heartbeat(longest_s=longest_s)
    heartbeat.beat(has_database=has_database)
    server = probes.serve("127.0.0.1", 0, heartbeat=heartbeat, registry=registry)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(registry: CollectorRegistry) -> Iterator[str]:
    with served(registry) as address:
        yield address


@pytest.fixture
def stalled_address(registry: CollectorRegistry) -> Iterator[str]:
    """Of a loop that has not turned for longer than it may."""
    with served(registry, longest_s=-1) as address:
        yield address


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/livez?verbose"])
def test_a_loop_that_turns_is_alive(address: str, path: str) -> None:
    assert requests.get(address + path, timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_loop_that_has_stalled_is_not(stalled_address: str, path: str) -> None:
    assert requests.get(stalled_address + path, timeout=10).status_code == 503


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 503)])
def test_a_refresher_without_its_database_is_alive_but_not_ready(
    registry: CollectorRegistry, path: str, status: int
) -> None:
    with served(registry, has_database=False) as address:
        assert requests.get(address + path, timeout=10).status_code == status


def test_metrics_are_served(address: str, registry: CollectorRegistry) -> None:
    Counter("cups", "Cups of coffee", registry=registry).inc(2)

    assert "cups_total 2.0" in requests.get(address + "/metrics", timeout=10).text


def test_nothing_else_is_served(address: str) -> None:
    assert requests.get(address + "/secrets", timeout=10).status_code == 404


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/livez", 200), ("POST", "/nothing", 501)])
def test_no_answer_may_be_taken_for_another_type(address: str, method: str, path: str, status: int) -> None:
    response = requests.request(method, address + path, timeout=10)

    assert (response.status_code, response.headers["X-Content-Type-Options"]) == (status, "nosniff")
