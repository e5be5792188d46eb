"""What all outgoing calls have in common: the refresher's, the token's, and those for a provider's keys."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from productator import outgoing
from productator.errors import CallFailed, OffersProtocolError, OffersServiceError, TooMuchAtOnce
from productator.offers_service import contract
from productator.offers_service.answer_memory import AnswerMemory
from productator.offers_service.contract import MAX_ANSWER_BYTES, OffersAnswer
from productator.offers_service.http_call import HttpCall
from refresher.fetching.transport import Transport
from tests.refresher.tls import tls_service

PATIENCE_S = 10.0
# Sends the call to this address, with these authorities; returns the answer's body.
Call = Callable[[str, str | None], bytes]


def one_at_a_time(address: str, ca_file: str | None) -> bytes:
    call = HttpCall(address, timeout_s=PATIENCE_S, ca_file=ca_file)
    return body_of(call.send(contract.reading("7"), token="token"))


def many_at_once(address: str, ca_file: str | None) -> bytes:
    transport = Transport(address, concurrency=2, timeout_s=PATIENCE_S, ca_file=ca_file)
    transport.send("key", contract.reading("7"), token="token")
    ((_, reply),) = transport.receive(PATIENCE_S)
    transport.close()
    if isinstance(reply, OffersServiceError):
        raise reply
    return body_of(reply)


def body_of(answer: OffersAnswer) -> bytes:
    if answer.status != HTTPStatus.OK:
        contract.offers(answer)  # raises
    return answer.body


def of_keys(address: str, ca_file: str | None) -> bytes:
    return outgoing.read(address, timeout_s=PATIENCE_S, max_bytes=MAX_ANSWER_BYTES, ca_file=ca_file)


@pytest.fixture(params=[one_at_a_time, many_at_once, of_keys])
def call(request: pytest.FixtureRequest) -> Call:
    found: Call = request.param
    return found


class Answering(ThreadingHTTPServer):
    """Gives every request the same answer, and keeps the requests' lines and headers."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = status, body, headers
        self.lines: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients end calls early."""


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:
        status, body, headers = self.server.answer
        self.server.lines.append(self.requestline)
        self.server.headers.append(dict(self.headers))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Tests print nothing."""


@contextmanager
def answering(body: bytes = b"[]", status: int = 200, **headers: str) -> Iterator[Answering]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Answering(status, body, named) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_call_says_who_makes_it_and_asks_for_gzip(call: Call) -> None:
    with answering() as server:
        call(server.address, None)

    (headers,) = server.headers
    assert headers["User-Agent"].startswith("Productator/")
    assert headers["Accept-Encoding"] == "gzip"


def test_a_gzip_answer_is_unpacked(call: Call) -> None:
    body = json.dumps([1, 2, 3]).encode()
    with answering(gzip.compress(body), Content_Encoding="gzip") as server:
        assert call(server.address, None) == body


def test_an_answer_that_is_long_when_unpacked_is_cut_off(call: Call) -> None:
    bomb = gzip.compress(bytes(20 * MAX_ANSWER_BYTES))
    assert len(bomb) < MAX_ANSWER_BYTES / 20
    with (
        answering(bomb, Content_Encoding="gzip") as server,
        pytest.raises((OffersProtocolError, CallFailed), match="longer than"),
    ):
        call(server.address, None)


def test_an_answer_that_is_no_gzip_though_it_says_so_is_the_services_mistake() -> None:
    with (
        answering(b"[]", Content_Encoding="gzip") as server,
        pytest.raises(OffersProtocolError, match="no gzip"),
    ):
        one_at_a_time(server.address, None)


def test_passwords_of_a_netrc_file_are_never_sent(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login somebody password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with answering() as server:
        call(server.address, None)

    assert "Authorization" not in server.headers[0]


def test_the_password_of_the_address_is_sent(call: Call) -> None:
    with answering() as server:
        call(server.address.replace("//", "//user:secret@"), None)

    assert server.headers[0]["Authorization"].startswith("Basic ")


def test_a_redirect_is_not_followed_and_its_target_is_named_without_secrets(call: Call) -> None:
    location = "https://user:secret@elsewhere.example/login?token=secret"
    with (
        answering(status=302, Location=location) as server,
        pytest.raises((OffersProtocolError, CallFailed), match=r"https://elsewhere\.example/login") as caught,
    ):
        call(server.address, None)

    assert len(server.lines) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("location", ["http://[x/", "http://[::1/", "http://h\u2100.example/"])
def test_a_redirect_to_what_is_no_address_fails_like_any_other(call: Call, location: str) -> None:
    sent = location.encode().decode("latin-1")
    with (
        answering(status=302, Location=sent) as server,
        pytest.raises((OffersProtocolError, CallFailed)),
    ):
        call(server.address, None)


def test_a_proxy_of_the_environment_is_used(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("no_proxy", "")
        call("http://offers.invalid/api/v1", None)

    assert "http://offers.invalid/api/v1" in proxy.lines[0]


def test_no_proxy_is_used_for_the_hosts_that_need_none(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with answering() as server:
        assert call(server.address, None) == b"[]"


def test_a_private_authority_is_trusted(call: Call, tmp_path: Path) -> None:
    with tls_service(tmp_path) as service:
        assert call(service.address, service.ca_file) == b"[]"


def test_an_unknown_authority_is_not(call: Call, tmp_path: Path) -> None:
    with tls_service(tmp_path) as service, pytest.raises(Exception, match="certificate"):
        call(service.address, None)


# --- memory


def test_answers_that_together_take_too_much_memory_are_read_again_one_by_one() -> None:
    memory = AnswerMemory(most_bytes=1_500)
    with answering(b"[" + b" " * 1_000 + b"]") as server:
        call = HttpCall(server.address, timeout_s=PATIENCE_S, memory=memory)
        memory.unstored = 1_000
        with pytest.raises(TooMuchAtOnce):
            call.send(contract.reading("7"), token="token")
        memory.unstored = 0
        call.send(contract.reading("7"), token="token")

    assert not memory.is_scarce
