"""Statements that take long are logged, without the texts of users."""

import logging
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from productator.database.engine import engine_options
from productator.database.slow_statements import log_slow_statements


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Its database has a function that takes 30 ms."""
    engine = create_engine("sqlite://", **engine_options("sqlite://"))
    event.listen(engine, "connect", lambda connection, _: connection.create_function("pause", 1, pause))
    yield engine
    engine.dispose()


def pause(value: str) -> str:
    time.sleep(0.03)
    return value


def run(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(statement), {"name": "text of a user"})


def test_a_slow_statement_is_logged_without_its_parameters(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    log_slow_statements(engine, longer_than_ms=20)
    run(engine, "SELECT\n  pause(:name)")

    (record,) = caplog.records
    assert (record.message, record.levelno) == ("slow statement", logging.WARNING)
    assert vars(record)["statement"] == "SELECT pause(?)"
    assert vars(record)["duration_ms"] >= 30


def test_a_slow_statement_that_fails_is_logged(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    log_slow_statements(engine, longer_than_ms=20)
    with pytest.raises(OperationalError):
        run(engine, "SELECT abs(pause(:name)), json(pause('{'))")

    assert [record.message for record in caplog.records] == ["slow statement"]


@pytest.mark.parametrize("longer_than_ms", [0, 10_000])
def test_no_other_statement_is_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture, longer_than_ms: int
) -> None:
    log_slow_statements(engine, longer_than_ms=longer_than_ms)
    run(engine, "SELECT pause(:name)")

    assert not caplog.records
