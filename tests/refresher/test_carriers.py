"""What carries calls to the Offers service: `OffersClient` one at a time, `Transport` many at once."""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from productator.domain import OfferData
from productator.errors import (
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import contract
from productator.offers_service.client import OffersClient
from productator.offers_service.contract import MAX_ANSWER_BYTES, Answer, Request
from refresher.fetching.transport import Reply, Transport
from simulator.options import DEFAULT_REFRESH_TOKEN
from simulator.rules import KINDS
from tests.refresher.tls import HTTP1, HTTP2, TlsService, tls_service
from tests.simulator.conftest import RunningSimulator, product_with_offers

PATIENCE_S = 10.0
SHORT_S = 0.5
# Of an address, to libcurl.
LONGEST_ADDRESS = 8_000_000

Carry = Callable[[Request, str], Answer]
Carrier = Callable[[str, float], Carry]

# What a fault of the service is to us; the timeout is short where there is no end otherwise.
SILENT: dict[str, dict[str, Any]] = {
    "latency": {"seconds": 60},
    "timeout": {},
    # Each byte comes within the timeout, all of them take well over half a minute.
    "drip": {"seconds": 0.4},
    "drip_headers": {"seconds": 0.4},
}
ANSWERED: dict[str, type[OffersServiceError]] = {
    "status": OffersUnavailable,
    "too_many": OffersUnavailable,
    "reset": OffersUnavailable,
    "close": OffersUnavailable,
    "truncated": OffersUnavailable,
    "invalid_json": OffersProtocolError,
    "html": OffersProtocolError,
    "wrong_shape": OffersProtocolError,
    "wrong_types": OffersProtocolError,
    "negative": OffersProtocolError,
    "huge": OffersProtocolError,
    "missing_field": OffersProtocolError,
    "duplicate_ids": OffersProtocolError,
    "oversized": OffersProtocolError,
    "redirect": OffersProtocolError,
    "unauthorized": TokenRejected,
    "unregistered": ProductNotRegistered,
}
LEGAL = {"empty", "extra_fields"}


def one_at_a_time(base_url: str, timeout_s: float) -> Carry:
    client = OffersClient(requests.Session(), base_url, timeout_s=timeout_s)
    return lambda request, token: client.send(request, token=token)


def many_at_once(base_url: str, timeout_s: float) -> Carry:
    transport = Transport(base_url, concurrency=4, timeout_s=timeout_s)

    def carry(request: Request, token: str) -> Answer:
        transport.send("key", request, token=token)
        ((_, reply),) = replies_of(transport, 1)
        if isinstance(reply, OffersServiceError):
            raise reply
        return reply

    return carry


@pytest.fixture(params=[one_at_a_time, many_at_once], ids=["client", "transport"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    """Either of the two, for what both must do."""
    found: Carrier = request.param
    return found


def replies_of(transport: Transport, count: int) -> list[tuple[Any, Any]]:
    deadline = time.monotonic() + PATIENCE_S
    replies: list[tuple[Any, Any]] = []
    while len(replies) < count:
        assert time.monotonic() < deadline
        replies += transport.receive(1)
    return replies


@dataclass(frozen=True)
class Customer:
    token: str
    product: str
    offers: set[OfferData]


@pytest.fixture
def customer(simulator: RunningSimulator) -> Customer:
    token, product = simulator.access_token(DEFAULT_REFRESH_TOKEN), product_with_offers(simulator)
    simulator.register(token, product)
    return Customer(token, product, true_offers(simulator, product))


def true_offers(simulator: RunningSimulator, product: str) -> set[OfferData]:
    offers = simulator.control("GET", f"products/{product}/offers")["offers"]
    return {OfferData(str(each["id"]), each["price"], each["items_in_stock"]) for each in offers}


def offers_read(carry: Carry, customer: Customer) -> set[OfferData]:
    return set(contract.offers(carry(contract.reading(customer.product), customer.token)))


# --- with the simulator


def test_every_fault_of_the_simulator_is_tested() -> None:
    assert {*SILENT, *ANSWERED, *LEGAL} == set(KINDS)


def test_offers_are_read(carrier: Carrier, simulator: RunningSimulator, customer: Customer) -> None:
    assert offers_read(carrier(simulator.address, PATIENCE_S), customer) == customer.offers


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", SILENT)
def test_what_does_not_come_in_time_is_unavailable(
    carrier: Carrier, simulator: RunningSimulator, customer: Customer, kind: str
) -> None:
    simulator.set_faults({"kind": kind, **SILENT[kind]})
    with pytest.raises(OffersUnavailable):
        offers_read(carrier(simulator.address, SHORT_S), customer)


@pytest.mark.parametrize(("kind", "error"), ANSWERED.items())
def test_what_comes_wrong_is_a_typed_error(
    carrier: Carrier, simulator: RunningSimulator, customer: Customer, kind: str, error: type[Exception]
) -> None:
    simulator.set_faults({"kind": kind})
    with pytest.raises(OffersServiceError) as caught:
        offers_read(carrier(simulator.address, PATIENCE_S), customer)

    assert caught.type is error


@pytest.mark.timeout(30)
@pytest.mark.parametrize("declared", [True, False])
def test_an_endless_answer_is_cut_off(
    carrier: Carrier,
    generation1: RunningSimulator,
    declared: bool,
) -> None:
    token = generation1.access_token()
    generation1.set_faults({"kind": "oversized", "size": 10**12, "declared": declared})
    with pytest.raises(OffersProtocolError, match="longer than"):
        carrier(generation1.address, 10 * PATIENCE_S)(contract.reading("1"), token)


def test_unknown_fields_do_not_matter(
    carrier: Carrier, simulator: RunningSimulator, customer: Customer
) -> None:
    simulator.set_faults({"kind": "extra_fields"})

    assert offers_read(carrier(simulator.address, PATIENCE_S), customer) == customer.offers


@pytest.mark.parametrize("seconds", [17, 19991231, 10**20], ids=["short", "like a date", "beyond 64 bits"])
def test_a_pause_that_the_service_asks_for_is_told(
    carrier: Carrier, generation1: RunningSimulator, seconds: int
) -> None:
    generation1.set_faults({"kind": "too_many", "retry_after": str(seconds)})
    answer = carrier(generation1.address, PATIENCE_S)(contract.reading("1"), "token")

    assert (answer.status, answer.retry_after_s) == (429, seconds)


def test_a_pause_is_asked_for_by_the_answer_that_tells_it_alone(generation1: RunningSimulator) -> None:
    carry = many_at_once(generation1.address, PATIENCE_S)
    generation1.set_faults(
        {"kind": "too_many", "retry_after": 17, "times": 1}, {"kind": "status", "status": 503}
    )
    answers = [carry(contract.reading("1"), "token") for _ in range(2)]

    assert [(each.status, each.retry_after_s) for each in answers] == [(429, 17.0), (503, None)]


def test_a_pause_until_a_date_is_read_where_products_are(generation1: RunningSimulator) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    generation1.set_faults({"kind": "too_many", "retry_after": until})
    answer = many_at_once(generation1.address, PATIENCE_S)(contract.reading("1"), "token")

    assert answer.retry_after_s == pytest.approx(3600, abs=60)


def test_after_a_fault_the_next_call_is_answered(
    carrier: Carrier, simulator: RunningSimulator, customer: Customer
) -> None:
    carry = carrier(simulator.address, SHORT_S)
    simulator.set_faults({"kind": "timeout", "times": 1}, {"kind": "reset", "times": 1})
    for _ in range(2):
        with pytest.raises(OffersUnavailable):
            offers_read(carry, customer)

    assert offers_read(carry, customer) == customer.offers


def test_a_service_that_is_not_there_is_unavailable(carrier: Carrier) -> None:
    with pytest.raises(OffersUnavailable):
        carrier("http://127.0.0.1:9/api/v1", PATIENCE_S)(contract.reading("1"), "token")


def test_a_host_that_does_not_exist_is_unavailable(carrier: Carrier) -> None:
    with pytest.raises(OffersUnavailable):
        carrier("http://offers.invalid/api/v1", PATIENCE_S)(contract.reading("1"), "token")


def test_an_error_names_no_token(carrier: Carrier) -> None:
    with pytest.raises(OffersUnavailable) as caught:
        carrier("http://127.0.0.1:9/api/v1", PATIENCE_S)(contract.reading("1"), "secret")

    assert "secret" not in str(caught.value)


# --- with a server that keeps what it was sent


@dataclass
class Recorder:
    """An HTTP server that answers everything with an empty list."""

    address: str
    connections: int = 0
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            found.connections += 1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append((self.command, self.path, dict(self.headers), body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        do_POST = do_GET  # noqa: N815 - the base's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.address = f"http://127.0.0.1:{server.server_port}/api/v1"
        yield found
        server.shutdown()


def test_the_token_travels_in_the_header_bearer(carrier: Carrier, recorder: Recorder) -> None:
    carrier(recorder.address, PATIENCE_S)(contract.reading("7"), "token")
    ((method, path, headers, _),) = recorder.requests

    assert (method, path, headers["Bearer"]) == ("GET", "/api/v1/products/7/offers", "token")
    assert "Authorization" not in headers


def test_a_registration_is_json(carrier: Carrier, recorder: Recorder) -> None:
    request = contract.registration("7", "Lamp ☀", "Gives light")
    carrier(recorder.address, PATIENCE_S)(request, "token")
    ((method, path, headers, body),) = recorder.requests

    assert (method, path, body) == ("POST", "/api/v1/products/register", request.body)
    assert headers["Content-Type"] == "application/json"


def test_reading_after_registering_sends_no_body(carrier: Carrier, recorder: Recorder) -> None:
    carry = carrier(recorder.address, PATIENCE_S)
    carry(contract.registration("7", "Lamp", ""), "token")
    carry(contract.reading("7"), "token")
    method, _, headers, body = recorder.requests[1]

    assert (method, body) == ("GET", b"")
    assert "Content-Type" not in headers


def test_connections_are_reused(carrier: Carrier, recorder: Recorder) -> None:
    carry = carrier(recorder.address, PATIENCE_S)
    for _ in range(20):
        carry(contract.reading("7"), "token")

    assert (len(recorder.requests), recorder.connections) == (20, 1)


# --- many at once


@pytest.fixture
def transport(recorder: Recorder) -> Iterator[Transport]:
    transport = Transport(recorder.address, concurrency=4, timeout_s=PATIENCE_S)
    yield transport
    transport.close()


def test_many_calls_share_few_connections(transport: Transport, recorder: Recorder) -> None:
    for _ in range(10):
        for key in range(4):
            transport.send(key, contract.reading("7"), token="token")
        replies_of(transport, 4)

    assert (len(recorder.requests), recorder.connections) == (40, 4)


def test_room_is_taken_by_a_call_and_given_back_with_its_reply(transport: Transport) -> None:
    transport.send("key", contract.reading("7"), token="token")
    assert transport.room == 3

    replies_of(transport, 1)
    assert transport.room == 4


def test_nothing_under_way_is_no_replies(transport: Transport) -> None:
    assert transport.receive(0) == []


def test_calls_under_way_can_be_given_up(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "timeout"})
    transport = Transport(generation1.address, concurrency=4, timeout_s=PATIENCE_S)
    transport.send("key", contract.reading("7"), token="token")
    transport.receive(0)

    transport.close()


def test_replies_arrive_under_the_key_of_their_call(simulator: RunningSimulator) -> None:
    token = simulator.access_token(DEFAULT_REFRESH_TOKEN)
    products = [product_with_offers(simulator) for _ in range(20)]
    for product in products:
        simulator.register(token, product)
    transport = Transport(simulator.address, concurrency=20, timeout_s=PATIENCE_S)
    for product in products:
        transport.send(product, contract.reading(product), token=token)
    found = {key: set(contract.offers(reply)) for key, reply in replies_of(transport, 20)}
    transport.close()

    assert found == {product: true_offers(simulator, product) for product in products}


def test_a_slow_call_does_not_hold_up_the_others(simulator: RunningSimulator, customer: Customer) -> None:
    simulator.set_faults({"kind": "timeout", "times": 1})
    transport = Transport(simulator.address, concurrency=4, timeout_s=PATIENCE_S)
    for key in range(4):
        transport.send(key, contract.reading(customer.product), token=customer.token)
    replies = replies_of(transport, 3)

    assert transport.room == 3
    assert all(isinstance(reply, Answer) for _, reply in replies)
    transport.close()


def test_a_call_that_cannot_be_made_fails_alone(transport: Transport) -> None:
    transport.send("good", contract.reading("7"), token="token")
    transport.send("bad", Request("GET", "/" + "x" * LONGEST_ADDRESS), token="token")
    replies = dict(replies_of(transport, 2))

    assert isinstance(replies["bad"], OffersUnavailable)
    assert (replies["good"].status, transport.room) == (200, 4)


def test_a_call_that_cannot_be_made_is_told_at_once(transport: Transport) -> None:
    transport.send("bad", Request("GET", "/" + "x" * LONGEST_ADDRESS), token="token")
    began = time.monotonic()
    replies = transport.receive(PATIENCE_S)

    assert [key for key, _ in replies] == ["bad"]
    assert time.monotonic() - began < PATIENCE_S


def test_calls_that_have_ended_keep_nothing_of_their_answers(generation1: RunningSimulator) -> None:
    token = generation1.access_token()
    generation1.set_faults({"kind": "oversized", "size": MAX_ANSWER_BYTES - 1})
    transport = Transport(generation1.address, concurrency=4, timeout_s=PATIENCE_S)
    tracemalloc.start()
    for key in range(4):
        transport.send(key, contract.reading("7"), token=token)
    longest = max(len(reply.body) for _, reply in replies_of(transport, 4))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    transport.close()

    assert longest == MAX_ANSWER_BYTES - 1
    assert kept < MAX_ANSWER_BYTES / 4


# --- over TLS


def transport_to(service: TlsService, *, timeout_s: float = PATIENCE_S) -> Transport:
    return Transport(service.address, concurrency=4, timeout_s=timeout_s, ca_file=service.ca_file)


def replies_to(transport: Transport, calls: int, *, awaited: int | None = None) -> list[type[Reply]]:
    """What the first replies to so many calls at once are."""
    for key in range(calls):
        transport.send(key, contract.reading("7"), token="token")
    return [type(reply) for _, reply in replies_of(transport, awaited or calls)]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with tls_service(tmp_path) as service, pytest.raises(OffersUnavailable, match="certificate"):
        many_at_once(service.address, PATIENCE_S)(contract.reading("7"), "token")


@pytest.mark.parametrize("protocol", [HTTP1, HTTP2])
def test_a_connection_that_hangs_does_not_hold_up_other_calls(tmp_path: Path, protocol: str) -> None:
    with tls_service(tmp_path, protocol, hanging={1}) as service:
        transport = transport_to(service)
        replies = replies_to(transport, 4, awaited=3)
        transport.close()

    assert replies == [Answer] * 3


def test_calls_share_a_connection_where_the_last_one_could_have(tmp_path: Path) -> None:
    with tls_service(tmp_path, HTTP2, brief={1}) as service:
        transport = transport_to(service)
        replies = replies_to(transport, 1) + replies_to(transport, 4)
        transport.close()

    assert replies == [Answer] * 5
    assert len(service.connections) == 2


def test_calls_that_shared_a_connection_in_vain_are_the_last_to_do_so(tmp_path: Path) -> None:
    with tls_service(tmp_path, HTTP2, brief={1}, hanging={2, 3}) as service:
        transport = transport_to(service, timeout_s=2)
        replies_to(transport, 1)
        shared, alone = replies_to(transport, 4), replies_to(transport, 4, awaited=3)
        transport.close()

    # On a busy machine all four may be answered: the third connection was opened in the first round already.
    assert (shared, alone[:3]) == ([OffersUnavailable] * 4, [Answer] * 3)
