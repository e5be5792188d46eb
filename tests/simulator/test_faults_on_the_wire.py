"""Faults in the transmission of an answer."""

import socket
from typing import Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, ReadTimeout

from tests.simulator.conftest import PATIENCE_S, Tenant


def strike(tenant: Tenant, kind: str, **parameters: Any) -> None:
    tenant.simulator.set_faults({"kind": kind, **parameters})


def raw_bytes(tenant: Tenant, *, until: bytes) -> bytes:
    """What a plain socket receives, until it has the wanted text or the connection ends."""
    request = (
        f"GET /api/v1/products/{tenant.product}/offers HTTP/1.1\r\n"
        f"Host: simulator\r\nBearer: {tenant.token}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", tenant.simulator.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request.encode())
        while until not in received and (piece := connection.recv(65_536)):
            received += piece
    return received


def test_latency_delays_the_right_answer(tenant: Tenant) -> None:
    truth = tenant.offers().json()
    strike(tenant, "latency", seconds=0.05)

    response = tenant.offers()

    assert response.json() == truth
    assert response.elapsed.total_seconds() >= 0.05


def test_a_latency_beyond_the_clients_patience_times_out(tenant: Tenant) -> None:
    strike(tenant, "latency", seconds=60)

    with pytest.raises(ReadTimeout):
        tenant.offers(timeout=0.1)


def test_a_timeout_never_answers(tenant: Tenant) -> None:
    strike(tenant, "timeout")

    with pytest.raises(ReadTimeout):
        tenant.offers(timeout=0.1)


def test_a_reset_is_a_tcp_reset(tenant: Tenant) -> None:
    strike(tenant, "reset")

    with pytest.raises(ConnectionResetError):
        raw_bytes(tenant, until=b"never")


def test_a_close_ends_the_connection_without_a_byte(tenant: Tenant) -> None:
    strike(tenant, "close")

    assert raw_bytes(tenant, until=b"never") == b""


@pytest.mark.parametrize("kind", ["reset", "close"])
def test_requests_sees_a_broken_connection(tenant: Tenant, kind: str) -> None:
    strike(tenant, kind)

    with pytest.raises(requests.ConnectionError):
        tenant.offers()


@pytest.mark.parametrize("kind", ["timeout", "reset", "close"])
def test_an_unanswered_registration_may_have_arrived(tenant: Tenant, kind: str) -> None:
    tenant.simulator.control("POST", "forget")
    strike(tenant, kind, arrives=True)

    with pytest.raises(requests.RequestException):
        tenant.simulator.register(tenant.token, tenant.product, timeout=0.3)

    assert tenant.simulator.control("GET", "products")["products"] == [tenant.product]


def test_dripping_shows_the_headers_before_the_body(tenant: Tenant) -> None:
    strike(tenant, "drip", seconds=60)

    assert raw_bytes(tenant, until=b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_dripping_delivers_the_whole_body_in_the_end(tenant: Tenant) -> None:
    truth = tenant.offers().json()
    strike(tenant, "drip", seconds=0)

    assert tenant.offers().json() == truth


def test_dripping_headers_shows_one_byte_first(tenant: Tenant) -> None:
    strike(tenant, "drip_headers", seconds=60)

    assert raw_bytes(tenant, until=b"H") == b"H"


def test_dripping_headers_delivers_the_answer_in_the_end(tenant: Tenant) -> None:
    truth = tenant.offers().json()
    strike(tenant, "drip_headers", seconds=0)

    assert tenant.offers().json() == truth


def test_a_truncated_body_is_shorter_than_announced(tenant: Tenant) -> None:
    strike(tenant, "truncated")

    head, _, body = raw_bytes(tenant, until=b"never").partition(b"\r\n\r\n")

    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced


def test_requests_notices_the_truncation(tenant: Tenant) -> None:
    strike(tenant, "truncated")

    with pytest.raises(ChunkedEncodingError):
        tenant.offers()


@pytest.mark.parametrize("size", [3, 4, 60_000, 2_000_000])
@pytest.mark.parametrize("declared", [True, False])
def test_an_oversized_body_is_json_of_the_wanted_size(tenant: Tenant, size: int, *, declared: bool) -> None:
    strike(tenant, "oversized", size=size, declared=declared)

    response = tenant.offers()

    assert len(response.content) == size
    assert ("Content-Length" in response.headers) is declared
    assert isinstance(response.json(), list)


def test_an_oversized_body_that_nobody_reads_is_harmless(tenant: Tenant) -> None:
    strike(tenant, "oversized", times=1)
    tenant.offers(stream=True).close()

    assert tenant.offers().status_code == 200


def test_the_connection_survives_where_the_answer_was_whole(tenant: Tenant) -> None:
    strike(tenant, "timeout", times=1)
    with pytest.raises(ReadTimeout):
        tenant.offers(timeout=0.1)

    assert tenant.offers().status_code == 200
