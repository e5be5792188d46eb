"""The shipped proxy: a real nginx with the configuration of deploy/proxy before a real uWSGI."""

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.program import HOST, free_port
from lab.processes.proxy import start_proxy
from lab.processes.system import System
from lab.proofs.slow_clients import drip_during_reads
from lab.waiting import eventually

PRODUCT = {"name": "Kettle"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("proxy")
    system = System(f"sqlite:///{folder / 'products.db'}", folder, {"PRODUCTATOR_TRUSTED_PROXIES": "1"})
    assert system.productator("migrate").end() == 0
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


@pytest.fixture(scope="module")
def api(system: System) -> Api:
    return system.api()


@pytest.fixture(scope="module")
def proxy(system: System, api: Api) -> Api:
    return start_proxy(system, api.port)


def logged(proxy: Api, request_id: str) -> dict[str, str]:
    def lines() -> list[str]:
        return [line for line in proxy.printed.splitlines() if f'"request_id":"{request_id}"' in line]

    # The line follows the answer.
    found: dict[str, str] = json.loads(eventually(lines)[0])
    return found


def test_a_tag_from_the_proxy_can_be_used_to_change_a_product(proxy: Api) -> None:
    path = f"/products/{proxy.create_product()['id']}"
    tag = proxy.request("GET", path, headers={"Accept-Encoding": "gzip"}).headers["ETag"]

    changed = proxy.request("PATCH", path, json=PRODUCT, headers={"If-Match": tag})

    assert changed.status_code == 200


def test_large_answers_are_compressed_and_their_tags_still_say_not_modified(proxy: Api) -> None:
    first = requests.get(proxy.url("/openapi.json"), headers={"Accept-Encoding": "gzip"}, timeout=10)
    tag = first.headers["ETag"]
    again = requests.get(proxy.url("/openapi.json"), headers={"If-None-Match": tag}, timeout=10)

    assert first.headers["Content-Encoding"] == "gzip"
    assert again.status_code == 304


def test_metrics_are_closed(proxy: Api) -> None:
    for path in ("/metrics", "/%6detrics", "//metrics", "/x/../metrics"):
        with urllib.request.urlopen(proxy.url("/livez")) as alive:
            assert alive.status == 200
        request = requests.Request("GET", proxy.url("")).prepare()
        request.url = proxy.url(path)
        with requests.Session() as session:
            assert session.send(request, timeout=10).status_code == 404


def test_a_request_is_found_by_its_id_in_the_proxys_log(proxy: Api) -> None:
    answer = proxy.request("GET", "/products/999999", headers={"X-Request-Id": "abc-1"})

    assert answer.headers["X-Request-Id"] == answer.json()["request_id"] == "abc-1"
    line = logged(proxy, "abc-1")
    assert (line["status"], line["upstream_status"], line["method"]) == ("404", "404", "GET")


def test_an_id_that_is_not_sane_is_replaced(proxy: Api) -> None:
    answer = proxy.request("GET", "/products", headers={"X-Request-Id": 'a"b'})

    assert logged(proxy, answer.headers["X-Request-Id"])["path"] == "/api/v1/products"


def test_a_client_cannot_claim_another_address_or_scheme(proxy: Api) -> None:
    forged = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X_Forwarded_Proto": "https"}

    created = proxy.request("POST", "/products", json=PRODUCT, headers=forged | {"X-Request-Id": "forged"})

    assert created.headers["Location"].startswith(proxy.url("/api/"))
    assert logged(proxy, "forged")["client"] == HOST


def raw(proxy: Api, request: bytes) -> tuple[bytes, dict[str, object]]:
    with socket.create_connection((HOST, proxy.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while b'"request_id"' not in answer:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return head.split()[1], json.loads(body)


OWN_ERRORS = {
    "no HTTP": (b"400", b"garbage\r\n\r\n"),
    "a long address": (b"414", b"GET /" + 60_000 * b"x" + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a long header": (b"431", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + 60_000 * b"x" + b"\r\n\r\n"),
    "a large body": (b"413", b"POST /api/v1/products HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "request_"), OWN_ERRORS.values(), ids=OWN_ERRORS.keys())
def test_the_proxys_own_errors_are_problems(proxy: Api, status: bytes, request_: bytes) -> None:
    found, problem = raw(proxy, request_)

    assert found == status
    assert problem["status"] == int(status)
    assert problem["request_id"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_an_api_the_proxy_says_when_to_come_back(system: System, method: str) -> None:
    alone = start_proxy(system, free_port())

    answer = alone.request(method, "/products")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert answer.headers["Retry-After"]


def test_tls_ends_at_the_proxy_and_addresses_say_https(system: System, api: Api, tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout tls.key -out tls.crt -subj /CN=localhost"
    )
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    tls_port = free_port()
    start_proxy(system, api.port, TLS_DIRECTORY=str(tmp_path), PROXY_TLS_PORT=str(tls_port))

    created = requests.post(
        f"https://{HOST}:{tls_port}/api/v1/products",
        json=PRODUCT,
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        verify=str(tmp_path / "tls.crt"),
        timeout=10,
    )

    assert created.headers["Location"].startswith(f"https://{HOST}:{tls_port}/api/v1/products/")


def test_two_hundred_clients_that_drip_leave_liveness_and_reads_served(proxy: Api) -> None:
    dripped = drip_during_reads(proxy, clients=200, for_s=13)

    assert dripped.is_as_promised, str(dripped)


def test_a_draining_api_is_not_ready_and_goes_on_answering(system: System) -> None:
    api = system.api(PRODUCTATOR_DRAIN_S="3")
    api.process.send_signal(signal.SIGTERM)

    eventually(lambda: not api.answers("/readyz"))
    assert api.request("GET", "/products").status_code == 200

    assert api.end() == 0
