"""The API's log: every line of a request names it."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import request
from flask.testing import FlaskClient

from productator.app import create_app
from productator.ops import logging as log_lines
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of

log = logging.getLogger(__name__)

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def restored_root() -> Iterator[None]:
    """A test configures logging, since its output is its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], restored_root: None) -> Lines:
    """The log lines since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def away(tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of an application that has something to log: its database cannot be reached."""
    tmp_path.joinpath("folder.db").mkdir()
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'folder.db'}"))
    yield app.test_client()
    dispose_of(app)


def test_a_line_names_the_request_it_belongs_to(away: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    away.get(PRODUCTS, headers={"X-Request-Id": "order-1"})

    assert {line["request_id"] for line in lines()} == {"order-1"}


def test_the_next_request_has_lines_of_its_own(away: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    ids = [away.get(PRODUCTS).headers["X-Request-Id"] for _ in range(2)]

    assert [line["request_id"] for line in lines()] == [ids[0], ids[0], ids[1], ids[1]]


def test_a_line_has_event_time_and_level(away: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    away.get(PRODUCTS)

    assert {"event", "time", "level", "error"} <= lines()[0].keys()


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of an application with a bug in a function that has a secret."""
    app = create_app(
        factories.settings(
            database_url=f"sqlite:///{tmp_path / 'x.db'}", auth="all", admin_token="secret-of-the-operator"
        )
    )
    app.add_url_rule("/api/v1/broken", "broken", fail)
    yield app.test_client()
    dispose_of(app)


def fail() -> str:
    secret = request.headers["Authorization"]
    raise ValueError(len(secret))


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_line_contains_a_token_even_after_a_failure_that_has_one(
    broken: FlaskClient, log_format: str, capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    log_lines.configure(log_format)
    answer = broken.get("/api/v1/broken", headers=factories.bearer("secret-of-the-operator"))

    printed = capsys.readouterr().out
    assert answer.status_code == 500
    assert "request failed" in printed
    assert "fail" in printed
    assert "secret-of" not in printed + answer.text


def test_a_line_names_the_caller_and_not_the_one_before(broken: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    for headers in (factories.bearer("secret-of-the-operator"), {}):
        broken.get("/api/v1/broken", headers=headers)
        log.warning("hello")

    callers = [(line["event"], line.get("caller")) for line in lines()]
    assert callers == [
        ("request failed", "admin"),
        ("request", "admin"),
        ("hello", "admin"),
        ("request", None),
        ("hello", None),
    ]


@pytest.fixture
def logged(client: FlaskClient, lines: Lines) -> Callable[..., list[dict[str, Any]]]:
    """Makes a request, and returns its lines of the access log."""

    def request_and_read(method: str, path: str, **options: Any) -> list[dict[str, Any]]:
        log_lines.configure("json")
        client.open(path, method=method, **options)
        return [line for line in lines() if line["event"] == "request"]

    return request_and_read


FIELDS = {
    "time",
    "level",
    "event",
    "request_id",
    "method",
    "route",
    "path",
    "status",
    "duration_ms",
    "database_ms",
    "caller",
    "bytes",
    "problem",
}


def test_each_request_has_one_line_with_all_fields(logged: Callable[..., list[dict[str, Any]]]) -> None:
    (line,) = logged("GET", f"{PRODUCTS}?q=secret", headers={"X-Request-Id": "order-1"})

    assert line.keys() == FIELDS
    assert (line["request_id"], line["method"], line["status"]) == ("order-1", "GET", 200)
    assert (line["route"], line["path"]) == (PRODUCTS, PRODUCTS)
    assert line["duration_ms"] >= line["database_ms"] > 0
    assert (line["caller"], line["problem"], line["level"]) == (None, None, "info")
    assert line["bytes"] == len(b'{"items":[],"next":null}')


@pytest.mark.parametrize(
    ("method", "path", "status", "problem"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", PRODUCTS, 415, "unsupported-media-type"),
        ("GET", f"{PRODUCTS}?limit=0", 422, "invalid-input"),
        ("GET", f"/livez?{9000 * 'x'}", 414, "uri-too-long"),
        ("POST", "/livez", 405, "method-not-allowed"),
    ],
)
def test_a_refused_request_has_a_line_that_names_the_problem(
    logged: Callable[..., list[dict[str, Any]]], method: str, path: str, status: int, problem: str
) -> None:
    (line,) = logged(method, path)

    assert (line["status"], line["problem"]) == (status, problem)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_a_probe_that_succeeds_has_no_line(logged: Callable[..., list[dict[str, Any]]], path: str) -> None:
    assert logged("GET", path) == []


def test_a_probe_that_fails_has_a_line_and_it_is_a_warning(away: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    away.get("/readyz")

    line = lines()[-1]
    assert (line["event"], line["path"], line["status"], line["level"]) == (
        "request",
        "/readyz",
        503,
        "warning",
    )


def test_the_line_of_a_failure_says_which_request_failed(broken: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    broken.get("/api/v1/broken", headers=factories.bearer("secret-of-the-operator"))

    failure, line = lines()
    assert (failure["method"], failure["path"]) == (line["method"], line["path"]) == ("GET", "/api/v1/broken")
    assert line["status"] == 500


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_control_characters_of_a_path_are_escaped(
    client: FlaskClient, log_format: str, capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    log_lines.configure(log_format)
    client.get("/%1b%5b31m%7f%0a%c2%9b%e2%80%ae")

    printed = capsys.readouterr().out
    assert "[31m" in printed
    assert printed.removesuffix("\n").isprintable()


def test_a_line_of_text_reads_as_a_sentence(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    log_lines.configure("text")
    client.get("/nowhere", headers={"X-Request-Id": "order-1"})

    assert "GET /nowhere 404 in " in capsys.readouterr().out


def test_a_log_that_nobody_reads_any_more_stops_nothing(
    restored_root: None, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        log_lines.configure("text", output)
        log.info("lost")

    assert "BrokenPipeError" in capsys.readouterr().err
