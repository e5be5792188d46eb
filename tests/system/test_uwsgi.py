"""What only the real server shows: chunked bodies and large headers."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.processes import HOST, PATIENCE_S, Api, System

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """On SQLite, as it has nothing to do with the database."""
    folder = tmp_path_factory.mktemp("uwsgi")
    system = System(f"sqlite:///{folder / 'products.db'}", folder)
    assert system.productator("migrate").end() == 0
    yield system.api()
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


def answer_to(api: Api, head: str, body: bytes = b"") -> str:
    """What comes back on a connection of its own, until the server closes it."""
    with socket.create_connection((HOST, api.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        # It need not listen to the end of what it refuses.
        with suppress(OSError):
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
        return received(connection).decode()


def received(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


POST = f"""POST /api/v1/products HTTP/1.1
Host: {HOST}
Content-Type: application/json
Transfer-Encoding: chunked
Connection: close"""


def test_a_chunked_body_is_read(api: Api) -> None:
    answer = answer_to(api, POST, chunked(b'{"name": "Gri', b'nder", "description": "5', b'0 mm"}'))

    assert answer.startswith("HTTP/1.1 201 ")
    created = json.loads(answer.partition("\r\n\r\n")[2])
    assert (created["name"], created["description"]) == ("Grinder", "50 mm")


def test_a_chunked_body_beyond_a_mebibyte_is_refused(api: Api) -> None:
    body = b'{"name": "' + MIB * b"x" + b'"}'

    answer = answer_to(
        api, POST, chunked(*(body[start : start + 8000] for start in range(0, len(body), 8000)))
    )

    assert answer.startswith("HTTP/1.1 413 ")
    assert "application/problem+json" in answer


def test_a_chunked_body_that_breaks_off_creates_nothing(api: Api) -> None:
    before = api.request("GET", "/products").json()["items"]

    answer = answer_to(api, POST, b'40\r\n{"name": "Broken", "description": "')

    assert not answer.startswith("HTTP/1.1 2")
    assert api.request("GET", "/products").json()["items"] == before


def test_a_header_of_20_kilobytes_is_answered(api: Api) -> None:
    answer = answer_to(api, f"GET /livez HTTP/1.1\nHost: {HOST}\nConnection: close\nX-Long: {20_000 * 'x'}")

    assert answer.startswith("HTTP/1.1 200 ")


def test_a_header_beyond_32_kilobytes_kills_no_worker(api: Api) -> None:
    workers = api.children

    answer = answer_to(api, f"GET /livez HTTP/1.1\nHost: {HOST}\nX-Long: {40_000 * 'x'}")

    assert not answer.startswith("HTTP/1.1 2")
    assert api.request("GET", "/products").status_code == 200
    assert api.children == workers
