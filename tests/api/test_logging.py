"""The API's log: every line of a request names it."""

import json
import logging
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
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """The log lines since the last call; a test configures logging, since its output is its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


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

    assert [line["request_id"] for line in lines()] == ["order-1"]


def test_the_next_request_has_lines_of_its_own(away: FlaskClient, lines: Lines) -> None:
    log_lines.configure("json")
    ids = [away.get(PRODUCTS).headers["X-Request-Id"] for _ in range(2)]

    assert [line["request_id"] for line in lines()] == ids


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

    callers = [line.get("caller") for line in lines()]
    assert callers == ["admin", "admin", None]
