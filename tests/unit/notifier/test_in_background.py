"""Work beside the notifier's loop: its failures are told in a line, and probes see that it hangs."""

import logging
import threading

import pytest
from sqlalchemy.exc import OperationalError

from lab.waiting import eventually
from notifier.__main__ import InBackground


def test_work_that_hangs_is_seen_by_the_heartbeat() -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        has_begun.set()
        may_end.wait()

    work = InBackground(hang)
    assert work.busy_s == 0
    work.turn()
    has_begun.wait()
    assert work.busy_s > 0
    may_end.set()
    eventually(lambda: work.busy_s == 0)


def test_a_failure_is_one_line_and_the_work_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise OperationalError("SELECT 1", {}, Exception("the server is away"))

    work = InBackground(fail)

    def has_failed_twice() -> bool:
        work.turn()
        return len(tries) > 1

    with caplog.at_level(logging.WARNING):
        eventually(has_failed_twice)

    told = next(each for each in caplog.records if "maintenance failed" in each.message)
    assert told.error == "the server is away"  # type: ignore[attr-defined]
