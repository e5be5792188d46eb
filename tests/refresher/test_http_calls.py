"""Calls to the Offers service: `HttpCall` makes one at a time, `Transport` many at once."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from productator.domain import OfferData
from productator.errors import (
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import contract
from productator.offers_service.contract import MAX_ANSWER_BYTES, OffersAnswer, OffersRequest
from productator.offers_service.http_call import HttpCall, Reply
from refresher.fetching.transport import Transport
from simulator.options import DEFAULT_REFRESH_TOKEN
from simulator.rules import FAULT_KINDS
from tests.refresher.recorder import Recorder, recording
from tests.refresher.tls import HTTP1, HTTP2, TlsService, tls_service
from tests.simulator.conftest import RunningSimulator, product_with_offers

PATIENCE_S = 10.0
SHORT_S = 0.5
# The longest address that libcurl accepts.
LONGEST_ADDRESS = 8_000_000

Send = Callable[[OffersRequest, str], OffersAnswer]
Sender = Callable[[str, float], Send]

# The faults of the simulator: no answer in time, or an answer that is an error of this type.
SILENT: dict[str, dict[str, Any]] = {
    "latency": {"seconds": 60},
    "timeout": {},
    # Each byte comes within the timeout, all of them take more than half a minute.
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
    "duplicate_ids": OffersProtocolError,
    "oversized": OffersProtocolError,
    "redirect": OffersProtocolError,
    "unauthorized": TokenRejected,
    "unregistered": ProductNotRegistered,
}
# One offer of the list is wrong, and refused alone.
SPOILING = ("wrong_types", "negative", "huge", "missing_field")
LEGAL = {"empty", "extra_fields"}


def one_at_a_time(base_url: str, timeout_s: float) -> Send:
    http = HttpCall(base_url, timeout_s=timeout_s)
    return lambda request, token: http.send(request, token=token)


def many_at_once(base_url: str, timeout_s: float) -> Send:
    transport = Transport(base_url, concurrency=4, timeout_s=timeout_s)

    def send(request: OffersRequest, token: str) -> OffersAnswer:
        transport.send("key", request, token=token)
        reply: Reply = replies_of(transport, 1)[0][1]
        if isinstance(reply, OffersServiceError):
            raise reply
        return reply

    return send


@pytest.fixture(params=[one_at_a_time, many_at_once], ids=["one at a time", "many at once"])
def sender(request: pytest.FixtureRequest) -> Sender:
    """Either of the two."""
    found: Sender = request.param
    return found


def replies_of(transport: Transport, count: int) -> list[tuple[Any, Any]]:
    """Of any type: most tests await answers, and would fail with an error."""
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


def offers_read(send: Send, customer: Customer) -> set[OfferData]:
    return set(contract.offers(send(contract.reading(customer.product), customer.token)).offers)


# --- with the simulator


def test_every_fault_of_the_simulator_is_tested() -> None:
    assert {*SILENT, *ANSWERED, *SPOILING, *LEGAL} == set(FAULT_KINDS)


def test_offers_are_read(sender: Sender, simulator: RunningSimulator, customer: Customer) -> None:
    assert offers_read(sender(simulator.address, PATIENCE_S), customer) == customer.offers


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", SILENT)
def test_an_answer_that_does_not_come_in_time_is_unavailable(
    sender: Sender, simulator: RunningSimulator, customer: Customer, kind: str
) -> None:
    simulator.set_faults({"kind": kind, **SILENT[kind]})
    with pytest.raises(OffersUnavailable):
        offers_read(sender(simulator.address, SHORT_S), customer)


@pytest.mark.parametrize(("kind", "error"), ANSWERED.items())
def test_a_wrong_answer_is_a_typed_error(
    sender: Sender, simulator: RunningSimulator, customer: Customer, kind: str, error: type[Exception]
) -> None:
    simulator.set_faults({"kind": kind})
    with pytest.raises(OffersServiceError) as caught:
        offers_read(sender(simulator.address, PATIENCE_S), customer)

    assert caught.type is error


@pytest.mark.parametrize("kind", SPOILING)
def test_a_wrong_offer_takes_no_other_with_it(
    sender: Sender, simulator: RunningSimulator, customer: Customer, kind: str
) -> None:
    simulator.set_faults({"kind": kind})

    assert len(customer.offers - offers_read(sender(simulator.address, PATIENCE_S), customer)) == 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize("declared", [True, False])
def test_an_endless_answer_is_cut_off(
    sender: Sender,
    generation1: RunningSimulator,
    declared: bool,
) -> None:
    token = generation1.access_token()
    generation1.set_faults({"kind": "oversized", "size": 10**12, "declared": declared})
    with pytest.raises(OffersProtocolError, match="longer than"):
        sender(generation1.address, 10 * PATIENCE_S)(contract.reading("1"), token)


def test_unknown_fields_do_not_matter(
    sender: Sender, simulator: RunningSimulator, customer: Customer
) -> None:
    simulator.set_faults({"kind": "extra_fields"})

    assert offers_read(sender(simulator.address, PATIENCE_S), customer) == customer.offers


@pytest.mark.parametrize("seconds", [17, 19991231, 10**20], ids=["short", "like a date", "beyond 64 bits"])
def test_a_pause_that_the_service_asks_for_is_in_the_answer(
    sender: Sender, generation1: RunningSimulator, seconds: int
) -> None:
    generation1.set_faults({"kind": "too_many", "retry_after": str(seconds)})
    answer = sender(generation1.address, PATIENCE_S)(contract.reading("1"), "token")

    assert (answer.status, answer.retry_after_s) == (429, seconds)


def test_a_pause_is_in_no_later_answer(sender: Sender, generation1: RunningSimulator) -> None:
    send = sender(generation1.address, PATIENCE_S)
    generation1.set_faults(
        {"kind": "too_many", "retry_after": 17, "times": 1}, {"kind": "status", "status": 503}
    )
    answers = [send(contract.reading("1"), "token") for _ in range(2)]

    assert [(each.status, each.retry_after_s) for each in answers] == [(429, 17.0), (503, None)]


def test_a_pause_until_a_date_is_read(sender: Sender, generation1: RunningSimulator) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    generation1.set_faults({"kind": "too_many", "retry_after": until})
    answer = sender(generation1.address, PATIENCE_S)(contract.reading("1"), "token")

    assert answer.retry_after_s == pytest.approx(3600, abs=60)


def test_after_a_fault_the_next_call_is_answered(
    sender: Sender, simulator: RunningSimulator, customer: Customer
) -> None:
    send = sender(simulator.address, SHORT_S)
    simulator.set_faults({"kind": "timeout", "times": 1}, {"kind": "reset", "times": 1})
    for _ in range(2):
        with pytest.raises(OffersUnavailable):
            offers_read(send, customer)

    assert offers_read(send, customer) == customer.offers


def test_a_service_that_is_not_there_is_unavailable(sender: Sender) -> None:
    with pytest.raises(OffersUnavailable):
        sender("http://127.0.0.1:9/api/v1", PATIENCE_S)(contract.reading("1"), "token")


def test_a_host_that_does_not_exist_is_unavailable(sender: Sender) -> None:
    with pytest.raises(OffersUnavailable):
        sender("http://offers.invalid/api/v1", PATIENCE_S)(contract.reading("1"), "token")


def test_an_error_names_no_token(sender: Sender) -> None:
    with pytest.raises(OffersUnavailable) as caught:
        sender("http://127.0.0.1:9/api/v1", PATIENCE_S)(contract.reading("1"), "secret")

    assert "secret" not in str(caught.value)


# --- with a server that records requests


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """It answers with an empty list."""
    with recording(path="/api/v1") as recorder:
        yield recorder


def test_the_token_travels_in_the_header_bearer(sender: Sender, recorder: Recorder) -> None:
    sender(recorder.address, PATIENCE_S)(contract.reading("7"), "token")
    ((method, path, headers, _),) = recorder.requests

    assert (method, path, headers["Bearer"]) == ("GET", "/api/v1/products/7/offers", "token")
    assert "Authorization" not in headers


def test_a_call_without_a_token_sends_none_of_an_earlier_call(recorder: Recorder) -> None:
    call = HttpCall(recorder.address, timeout_s=PATIENCE_S)
    for token in ("token", None):
        call.send(contract.reading("7"), token=token)

    assert ["Bearer" in request.headers for request in recorder.requests] == [True, False]


class NumberedSpan:
    """Counts the spans, and keeps how each of them ended."""

    ended: ClassVar[list[tuple[int, str | None]]] = []
    begun = 0

    def __init__(self, method: str, path: str) -> None:
        NumberedSpan.begun += 1
        self.header = f"traceparent: {method} {path} {NumberedSpan.begun}"

    def end(self, *, status: int, failure: str | None) -> None:
        self.ended.append((status, failure))


def test_each_call_carries_the_header_of_its_own_span_and_ends_it(
    sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpCall, "new_span", NumberedSpan)
    monkeypatch.setattr(NumberedSpan, "begun", 0)
    monkeypatch.setattr(NumberedSpan, "ended", [])
    send = sender(recorder.address, PATIENCE_S)
    for _ in range(2):
        send(contract.reading("7"), "token")

    sent = [request.headers["traceparent"] for request in recorder.requests]
    assert sent == ["GET /products/7/offers 1", "GET /products/7/offers 2"]
    assert NumberedSpan.ended == [(200, None), (200, None)]


def test_a_registration_is_json(sender: Sender, recorder: Recorder) -> None:
    request = contract.registration("7", "Lamp ☀", "Gives light")
    sender(recorder.address, PATIENCE_S)(request, "token")
    ((method, path, headers, body),) = recorder.requests

    assert (method, path, body) == ("POST", "/api/v1/products/register", request.body)
    assert headers["Content-Type"] == "application/json"


def test_reading_after_registering_sends_no_body(sender: Sender, recorder: Recorder) -> None:
    send = sender(recorder.address, PATIENCE_S)
    send(contract.registration("7", "Lamp", ""), "token")
    send(contract.reading("7"), "token")
    method, _, headers, body = recorder.requests[1]

    assert (method, body) == ("GET", b"")
    assert "Content-Type" not in headers


def test_asking_for_a_token_sends_nothing_but_the_refresh_token(sender: Sender, recorder: Recorder) -> None:
    sender(recorder.address, PATIENCE_S)(contract.authentication(), "refresh token")
    ((method, path, headers, body),) = recorder.requests

    assert (method, path, body) == ("POST", "/api/v1/auth", b"")
    assert (headers["Bearer"], headers["Content-Length"]) == ("refresh token", "0")
    assert "Content-Type" not in headers


def test_connections_are_reused(sender: Sender, recorder: Recorder) -> None:
    send = sender(recorder.address, PATIENCE_S)
    for _ in range(20):
        send(contract.reading("7"), "token")

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
    assert transport.free_calls == 3

    replies_of(transport, 1)
    assert transport.free_calls == 4


def test_nothing_under_way_is_no_replies(transport: Transport) -> None:
    assert transport.receive(0) == []


def test_calls_under_way_can_be_given_up(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "timeout"})
    transport = Transport(generation1.address, concurrency=4, timeout_s=PATIENCE_S)
    transport.send("key", contract.reading("7"), token="token")
    transport.receive(0)
    assert transport.free_calls == 3

    transport.close()
    assert transport.free_calls == 4


def test_replies_arrive_under_the_key_of_their_call(simulator: RunningSimulator) -> None:
    token = simulator.access_token(DEFAULT_REFRESH_TOKEN)
    products = [product_with_offers(simulator) for _ in range(20)]
    for product in products:
        simulator.register(token, product)
    transport = Transport(simulator.address, concurrency=20, timeout_s=PATIENCE_S)
    for product in products:
        transport.send(product, contract.reading(product), token=token)
    found = {key: set(contract.offers(reply).offers) for key, reply in replies_of(transport, 20)}
    transport.close()

    assert found == {product: true_offers(simulator, product) for product in products}


def test_a_slow_call_does_not_delay_the_others(simulator: RunningSimulator, customer: Customer) -> None:
    simulator.set_faults({"kind": "timeout", "times": 1})
    transport = Transport(simulator.address, concurrency=4, timeout_s=PATIENCE_S)
    for key in range(4):
        transport.send(key, contract.reading(customer.product), token=customer.token)
    replies = replies_of(transport, 3)

    assert transport.free_calls == 3
    assert all(isinstance(reply, OffersAnswer) for _, reply in replies)
    transport.close()


def test_a_call_that_cannot_be_made_fails_alone(transport: Transport) -> None:
    transport.send("good", contract.reading("7"), token="token")
    transport.send("bad", OffersRequest("GET", "/" + "x" * LONGEST_ADDRESS), token="token")
    replies = dict(replies_of(transport, 2))

    assert isinstance(replies["bad"], OffersUnavailable)
    assert (replies["good"].status, transport.free_calls) == (200, 4)


def test_a_call_that_cannot_be_made_is_reported_at_once(transport: Transport) -> None:
    transport.send("bad", OffersRequest("GET", "/" + "x" * LONGEST_ADDRESS), token="token")
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
    """The types of the first replies to so many calls at once."""
    for key in range(calls):
        transport.send(key, contract.reading("7"), token="token")
    return [type(reply) for _, reply in replies_of(transport, awaited or calls)]


def test_a_certificate_of_an_unknown_authority_is_refused(sender: Sender, tmp_path: Path) -> None:
    with tls_service(tmp_path) as service, pytest.raises(OffersUnavailable, match="certificate"):
        sender(service.address, PATIENCE_S)(contract.reading("7"), "token")


@pytest.mark.parametrize("protocol", [HTTP1, HTTP2])
def test_a_connection_that_hangs_does_not_delay_other_calls(tmp_path: Path, protocol: str) -> None:
    with tls_service(tmp_path, protocol, hanging={1}) as service:
        transport = transport_to(service)
        replies = replies_to(transport, 4, awaited=3)
        transport.close()

    assert replies == [OffersAnswer] * 3


def test_calls_share_a_connection_where_the_last_one_could_have(tmp_path: Path) -> None:
    with tls_service(tmp_path, HTTP2, brief={1}) as service:
        transport = transport_to(service)
        replies = replies_to(transport, 1) + replies_to(transport, 4)
        transport.close()

    assert replies == [OffersAnswer] * 5
    assert len(service.connections) == 2


def test_after_a_shared_connection_hung_calls_share_none(tmp_path: Path) -> None:
    with tls_service(tmp_path, HTTP2, brief={1}, hanging={2, 3}) as service:
        transport = transport_to(service, timeout_s=2)
        replies_to(transport, 1)
        shared, alone = replies_to(transport, 4), replies_to(transport, 4, awaited=3)
        transport.close()

    # On a busy machine all four may be answered: the third connection was opened in the first round already.
    assert (shared, alone[:3]) == ([OffersUnavailable] * 4, [OffersAnswer] * 3)
