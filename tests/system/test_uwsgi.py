"""Behaviour of the real server alone: chunked bodies and large headers."""

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.program import HOST
from lab.processes.system import System
from lab.proofs.slow_clients import drip_during_reads
from lab.waiting import PATIENCE_S, eventually

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """On SQLite: these tests do not depend on the database."""
    folder = tmp_path_factory.mktemp("uwsgi")
    system = System(f"sqlite:///{folder / 'products.db'}", folder)
    assert system.productator("migrate").end() == 0
    yield system.api()
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


def answer_to(api: Api, head: str, body: bytes = b"") -> str:
    """The answer on a connection of its own, until the server closes it."""
    with socket.create_connection((HOST, api.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
        # The server may close the connection before it has read all of a refused request.
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


def test_the_threads_of_a_worker_run_on_one_processor(api: Api) -> None:
    for worker in api.children:
        processors = [frozenset(os.sched_getaffinity(each)) for each in _all_threads(worker)]
        (most, threads), *others = Counter(processors).most_common()

        assert len(most) == 1
        assert threads > 128
        # uWSGI itself has one that measures memory, and runs no Python.
        assert sum(number for _, number in others) <= 1


def test_the_threads_of_a_worker_finish_their_turns(api: Api) -> None:
    for worker in api.children:
        policies = Counter(os.sched_getscheduler(each) for each in _all_threads(worker))

        assert policies[os.SCHED_BATCH] > 128
        assert policies.total() - policies[os.SCHED_BATCH] <= 1


def _all_threads(worker: int) -> list[int]:
    """When all of them have started."""
    folder = Path(f"/proc/{worker}/task")

    def are_there() -> bool:
        """uWSGI's threads, and one of ours."""
        return len(list(folder.iterdir())) > 128

    eventually(are_there)
    return [int(each.name) for each in folder.iterdir()]


def test_an_answer_says_once_when_it_was_given(api: Api) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    head = answer_to(api, f"GET /livez HTTP/1.1\nHost: {HOST}").partition("\r\n\r\n")[0]

    (date,) = (line.partition(": ")[2] for line in head.splitlines() if line.startswith("Date:"))
    assert before <= parsedate_to_datetime(date) <= datetime.now(UTC)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


PLAIN_POST = f"""POST /api/v1/products HTTP/1.1
Host: {HOST}
Content-Type: application/json
Authorization: Bearer {ADMIN_TOKEN}
Connection: close"""
POST = f"{PLAIN_POST}\nTransfer-Encoding: chunked"


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


def test_a_chunked_body_that_is_compressed_is_refused(api: Api) -> None:
    answer = answer_to(api, f"{PLAIN_POST}\nTransfer-Encoding: gzip, chunked", chunked(b'{"name": "Kettle"}'))

    assert answer.startswith("HTTP/1.1 415 ")
    assert "Transfer-Encoding: gzip, chunked" in answer


def test_a_chunked_body_that_breaks_off_creates_nothing(api: Api) -> None:
    before = api.request("GET", "/products").json()["items"]

    answer = answer_to(api, POST, b'40\r\n{"name": "Broken", "description": "')

    assert not answer.startswith("HTTP/1.1 2")
    assert api.request("GET", "/products").json()["items"] == before


REFUSED = {
    "no HTTP": (400, "\x16\x03\x01hello", b""),
    "a header of 33 kilobytes": (431, f"GET /livez HTTP/1.1\nHost: {HOST}\nX-Long: {33_000 * 'x'}", b""),
    "headers of 60 kilobytes": (431, f"GET /livez HTTP/1.1\nHost: {HOST}\nX-Long: {60_000 * 'x'}", b""),
    "an address of 20 kilobytes": (414, f"GET /livez?{20_000 * 'x'} HTTP/1.1\nHost: {HOST}", b""),
    "two lengths": (400, f"{PLAIN_POST}\nContent-Length: 2\nContent-Length: 2", b"{}"),
    "a length and chunks": (400, f"{POST}\nContent-Length: 2", b"2\r\n{}\r\n0\r\n\r\n"),
    "a body that breaks off": (400, f"{PLAIN_POST}\nContent-Length: 20", b'{"na'),
    "a chunk that breaks off": (400, POST, b'20\r\n{"na'),
    "a body of 2 megabytes": (413, f"{PLAIN_POST}\nContent-Length: {2 * MIB}", 2 * MIB * b"x"),
    "a chunk of 2 megabytes": (413, POST, b"200000\r\n" + 2 * MIB * b"x" + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "head", "body"), REFUSED.values(), ids=REFUSED.keys())
def test_a_request_that_cannot_be_served_is_answered_with_a_problem(
    api: Api, status: int, head: str, body: bytes
) -> None:
    answer = answer_to(api, head, body)

    assert f" {status} " in answer.partition("\r\n")[0]
    assert "Content-Type: application/problem+json" in answer
    assert "Traceback" not in api.printed


def test_every_answer_says_that_the_connection_ends(api: Api) -> None:
    for head in (f"GET /livez HTTP/1.1\nHost: {HOST}", f"GET /nowhere HTTP/1.1\nHost: {HOST}", "no HTTP"):
        assert "\r\nConnection: close\r\n" in answer_to(api, head)


def test_a_client_that_keeps_connections_meets_no_reset(api: Api) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"
        url = api.url("/api/v1/products")
        answers = [session.post(url, json={"name": "Kettle"}).status_code for _ in range(100)]

    assert answers == 100 * [201]


def test_many_headers_are_served(api: Api) -> None:
    headers = "".join(f"\nX-{number}: x" for number in range(400))

    assert answer_to(api, f"GET /livez HTTP/1.1\nHost: {HOST}{headers}").startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Proto: https", "X-Forwarded-SSL: on", "X_Forwarded_Proto: https"]
)
def test_a_stranger_cannot_make_addresses_https(api: Api, header: str) -> None:
    body = b'{"name": "Grinder"}'

    answer = answer_to(api, f"{PLAIN_POST}\n{header}\nContent-Length: {len(body)}", body)

    assert f"\r\nLocation: http://{HOST}/api/v1/products/" in answer


@pytest.mark.parametrize("host", ["Host: a b", "X-None: of all"])
def test_without_a_usable_host_addresses_are_relative(api: Api, host: str) -> None:
    body = b'{"name": "Grinder"}'
    head = PLAIN_POST.replace(f"Host: {HOST}", host)

    answer = answer_to(api, f"{head}\nContent-Length: {len(body)}", body)

    assert "\r\nLocation: /api/v1/products/" in answer


@pytest.mark.parametrize(
    "line", ["GET /livez?\xff HTTP/1.1", "GET /%ff HTTP/1.1", "GET /livez HTTP/1.1\nCookie: \xff"]
)
def test_bytes_that_are_not_utf_8_are_refused(api: Api, line: str) -> None:
    answer = answer_to(api, f"{line}\nHost: {HOST}\nConnection: close")

    assert answer.startswith("HTTP/1.1 400 ")
    assert "Traceback" not in api.printed


def test_headers_beyond_the_servers_buffer_kill_no_worker(api: Api) -> None:
    workers = api.children

    answer = answer_to(api, f"GET /livez HTTP/1.1\nHost: {HOST}\nX-Long: {70_000 * 'x'}")

    assert not answer
    assert api.request("GET", "/products").status_code == 200
    assert api.children == workers


def dripping(api: Api, head: str, piece: bytes, *, for_s: float) -> tuple[str, float]:
    """Sends a piece each second, and returns the answer and when it, or the end of the connection, came."""
    began = time.monotonic()
    with socket.create_connection((HOST, api.port), timeout=1) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        while time.monotonic() - began < for_s:
            try:
                if answer := connection.recv(65536):
                    return answer.decode(), time.monotonic() - began
                break
            except TimeoutError:
                connection.sendall(piece)
            except ConnectionResetError:
                break
    return "", time.monotonic() - began


def test_a_head_that_drips_in_ends_after_its_deadline(api: Api) -> None:
    answer, took_s = dripping(api, "GET /livez HTTP/1.1\nX-Long: ", b"x", for_s=30)

    assert not answer
    assert took_s < 13
    assert "a slow client was disconnected" in api.printed


@pytest.mark.parametrize(
    "head",
    [f"{PLAIN_POST}\nContent-Length: 1000\n\n", f"{POST}\n\n3e8\n"],
    ids=["with a length", "one chunk"],
)
def test_a_body_that_drips_in_is_refused_after_its_deadline(api: Api, head: str) -> None:
    answer, took_s = dripping(api, head, b"x", for_s=30)

    assert answer.startswith("HTTP/1.1 400 ")
    assert took_s < 13


def test_a_body_in_chunks_is_refused_before_it_is_read(api: Api) -> None:
    head = POST.replace(f"Bearer {ADMIN_TOKEN}", "Bearer unknown")

    answer, took_s = dripping(api, f"{head}\n\n3e8\n", b"x", for_s=30)

    assert answer.startswith("HTTP/1.1 401 ")
    assert took_s < 1


def test_a_stop_ends_in_time_although_clients_drip(tmp_path: Path) -> None:
    system = System(f"sqlite:///{tmp_path / 'products.db'}", tmp_path)
    assert system.productator("migrate").end() == 0
    api = system.api()
    with ThreadPoolExecutor(8) as clients:
        for _ in range(8):
            clients.submit(dripping, api, "GET /livez HTTP/1.1\nX-Long: ", b"x", for_s=40)
        time.sleep(1)
        began = time.monotonic()

        assert api.stop() == 0

        assert time.monotonic() - began < 15
    assert not system.stop_all()


def test_fifty_clients_that_drip_leave_liveness_and_reads_served(api: Api) -> None:
    dripped = drip_during_reads(api, clients=50, for_s=13)

    assert dripped.is_as_promised, str(dripped)
