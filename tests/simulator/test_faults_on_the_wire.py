"""Faults a client sees in how an answer comes, or does not."""

import socket
from typing import Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, ReadTimeout

from tests.simulator.conftest import PATIENCE_S, Customer


def strike(customer: Customer, kind: str, **parameters: Any) -> None:
    customer.simulator.set_faults({"kind": kind, **parameters})


def raw_bytes(customer: Customer, *, until: bytes) -> bytes:
    """What comes through a bare socket, until it has been seen or the connection ends."""
    request = (
        f"GET /api/v1/products/{customer.product}/offers HTTP/1.1\r\n"
        f"Host: simulator\r\nBearer: {customer.token}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", customer.simulator.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request.encode())
        while until not in received and (piece := connection.recv(65_536)):
            received += piece
    return received


def test_latency_delays_the_right_answer(customer: Customer) -> None:
    truth = customer.offers().json()
    strike(customer, "latency", seconds=0.05)

    response = customer.offers()

    assert response.json() == truth
    assert response.elapsed.total_seconds() >= 0.05


def test_a_latency_beyond_the_clients_patience_times_out(customer: Customer) -> None:
    strike(customer, "latency", seconds=60)

    with pytest.raises(ReadTimeout):
        customer.offers(timeout=0.1)


def test_a_timeout_never_answers(customer: Customer) -> None:
    strike(customer, "timeout")

    with pytest.raises(ReadTimeout):
        customer.offers(timeout=0.1)


def test_a_reset_is_a_tcp_reset(customer: Customer) -> None:
    strike(customer, "reset")

    with pytest.raises(ConnectionResetError):
        raw_bytes(customer, until=b"never")


def test_a_close_ends_the_connection_without_a_byte(customer: Customer) -> None:
    strike(customer, "close")

    assert raw_bytes(customer, until=b"never") == b""


@pytest.mark.parametrize("kind", ["reset", "close"])
def test_requests_sees_a_broken_connection(customer: Customer, kind: str) -> None:
    strike(customer, kind)

    with pytest.raises(requests.ConnectionError):
        customer.offers()


@pytest.mark.parametrize("kind", ["timeout", "reset", "close"])
def test_an_unanswered_registration_may_have_arrived(customer: Customer, kind: str) -> None:
    customer.simulator.control("POST", "forget")
    strike(customer, kind, arrives=True)

    with pytest.raises(requests.RequestException):
        customer.simulator.register(customer.token, customer.product, timeout=0.3)

    assert customer.simulator.control("GET", "products")["products"] == [customer.product]


def test_dripping_shows_the_headers_before_the_body(customer: Customer) -> None:
    strike(customer, "drip", seconds=60)

    assert raw_bytes(customer, until=b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_dripping_delivers_the_whole_body_in_the_end(customer: Customer) -> None:
    truth = customer.offers().json()
    strike(customer, "drip", seconds=0)

    assert customer.offers().json() == truth


def test_dripping_headers_shows_one_byte_first(customer: Customer) -> None:
    strike(customer, "drip_headers", seconds=60)

    assert raw_bytes(customer, until=b"H") == b"H"


def test_dripping_headers_delivers_the_answer_in_the_end(customer: Customer) -> None:
    truth = customer.offers().json()
    strike(customer, "drip_headers", seconds=0)

    assert customer.offers().json() == truth


def test_a_truncated_body_is_shorter_than_announced(customer: Customer) -> None:
    strike(customer, "truncated")

    head, _, body = raw_bytes(customer, until=b"never").partition(b"\r\n\r\n")

    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced


def test_requests_notices_the_truncation(customer: Customer) -> None:
    strike(customer, "truncated")

    with pytest.raises(ChunkedEncodingError):
        customer.offers()


@pytest.mark.parametrize("size", [3, 4, 60_000, 2_000_000])
@pytest.mark.parametrize("declared", [True, False])
def test_an_oversized_body_is_json_of_the_wanted_size(
    customer: Customer, size: int, *, declared: bool
) -> None:
    strike(customer, "oversized", size=size, declared=declared)

    response = customer.offers()

    assert len(response.content) == size
    assert ("Content-Length" in response.headers) is declared
    assert isinstance(response.json(), list)


def test_an_oversized_body_that_nobody_reads_does_no_harm(customer: Customer) -> None:
    strike(customer, "oversized", times=1)
    customer.offers(stream=True).close()

    assert customer.offers().status_code == 200


def test_the_connection_survives_where_the_answer_was_whole(customer: Customer) -> None:
    strike(customer, "timeout", times=1)
    with pytest.raises(ReadTimeout):
        customer.offers(timeout=0.1)

    assert customer.offers().status_code == 200
