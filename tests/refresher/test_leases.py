"""Leases hand claims out and take them back, also when the database is away for a while."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from productator.domain import utc_now
from refresher.leases import claims as claims_module
from refresher.leases.claims import Claim, ClaimRequest
from refresher.leases.leases import Claimed, Leases
from refresher.leases.schedule import Rhythm
from tests.refresher.builders import LEASE, NOW, PERIOD
from tests.refresher.rows import (
    LostSessions,
    Sessions,
    claimed,
    refresh_of,
    set_refresh,
    stored_products,
)

PATIENCE_S = 20


def leases_on(sessions: Any, *, period: timedelta = PERIOD) -> Leases:
    return Leases(sessions, Rhythm(period, LEASE), wake=lambda: None)


def run(leases: Leases, limit: int = 0) -> Claimed | None:
    """One run of the thread, as the loop has it done."""
    leases.start(limit, due_by=None, is_probe=False)
    until(lambda: leases.busy_s == 0)
    return leases.take()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def claims_of(claimed: Claimed | None) -> list[Claim]:
    assert claimed is not None
    return claimed.claims


def is_claimed(sessions: Sessions, product_id: int) -> bool:
    return refresh_of(sessions, product_id).claim_token is not None


def test_due_products_are_claimed_up_to_the_limit(sessions: Sessions) -> None:
    stored_products(sessions, 3)
    leases = leases_on(sessions)
    first, second = run(leases, 2), run(leases, 2)

    assert (len(claims_of(first)), len(claims_of(second))) == (2, 1)


@pytest.mark.parametrize(("limit", "is_all"), [(2, False), (3, True)])
def test_a_claim_shows_whether_other_products_may_be_due(
    sessions: Sessions, limit: int, is_all: bool
) -> None:
    stored_products(sessions, 2)
    found = run(leases_on(sessions), limit)

    assert found is not None
    assert found.is_all is is_all


# On SQLite the first transaction that writes keeps all others out.
@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_a_worker_that_is_slower_than_another_goes_on_with_the_next_products(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the others' claims for a sign that nothing was due, and paused."""
    product_ids = stored_products(sessions, 5)
    leases, races = leases_on(sessions), iter([True])
    find_due = claims_module._due  # noqa: SLF001 - between it and the UPDATE another worker is faster

    def find_slowly(connection: Connection, request: ClaimRequest) -> dict[int, datetime]:
        found = find_due(connection, request)
        if next(races, False):
            assert len(claimed(sessions, limit=2, now=utc_now())) == 2
        return found

    monkeypatch.setattr(claims_module, "_due", find_slowly)
    claims: list[Claim] = []
    is_all = False
    until_s = time.monotonic() + PATIENCE_S
    while not is_all:
        assert time.monotonic() < until_s
        found = run(leases, 2)
        assert found is not None
        claims, is_all = claims + found.claims, found.is_all

    assert sorted(each.product_id for each in claims) == product_ids[2:]


def test_without_anything_to_do_no_transaction_is_run(sessions: Sessions, statements: list[str]) -> None:
    leases = leases_on(sessions)
    statements.clear()

    assert run(leases) is None
    assert statements == []


def test_claims_that_are_given_back_are_due_again_as_they_were(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    leases = leases_on(sessions)
    leases.give_back(claimed(sessions))
    run(leases)
    row = refresh_of(sessions, product_id)

    assert (row.claim_token, row.due_at) == (None, NOW)


def test_claims_are_given_back_while_others_are_claimed(sessions: Sessions) -> None:
    given_back, other = stored_products(sessions, 2)
    leases = leases_on(sessions)
    (claim,) = claimed(sessions, limit=1)
    leases.give_back([claim])
    claims = claims_of(run(leases, 1))

    assert [each.product_id for each in claims] == [given_back]
    assert not is_claimed(sessions, other)


def test_claims_that_could_not_be_given_back_are_given_back_later(sessions: Sessions) -> None:
    first, second = stored_products(sessions, 2)
    away = LostSessions(sessions, lost=6)  # so often a transaction is tried
    leases = leases_on(away)
    claims = claimed(sessions)
    leases.give_back(claims[:1])
    assert run(leases) is None
    assert (leases.failures, leases.has_database) == (1, False)

    leases.give_back(claims[1:])
    until(lambda: leases.is_ready)
    run(leases)
    assert [is_claimed(sessions, each) for each in (first, second)] == [False, False]
    assert (leases.failures, leases.has_database) == (0, True)


class BrokenSessions:
    """Raises an error that nobody foresaw, for the first transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._is_broken = True

    def begin(self) -> AbstractContextManager[Session]:
        if self._is_broken:
            self._is_broken = False
            raise RuntimeError("nobody foresaw this")
        return self._sessions.begin()


def test_claims_are_given_back_after_an_error_that_nobody_foresaw(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    leases = leases_on(BrokenSessions(sessions))
    leases.give_back(claimed(sessions))
    with pytest.raises(RuntimeError):
        run(leases)

    until(lambda: leases.is_ready)
    run(leases)
    assert not is_claimed(sessions, product_id)


def delayed_product(sessions: Sessions) -> int:
    """A product that failures have delayed by many periods."""
    (product_id,) = stored_products(sessions, 1)
    delay(sessions, product_id)
    return product_id


def delay(sessions: Sessions, product_id: int) -> None:
    set_refresh(sessions, product_id, failures=2, due_at=utc_now() + 10 * PERIOD)


def is_due(sessions: Sessions, product_id: int) -> bool:
    return refresh_of(sessions, product_id).due_at <= utc_now()


def test_delayed_products_are_made_due(sessions: Sessions) -> None:
    product_id = delayed_product(sessions)
    leases = leases_on(sessions)
    leases.make_delayed_products_due()
    run(leases)

    assert is_due(sessions, product_id)


def test_delayed_products_are_made_due_once_a_period(sessions: Sessions) -> None:
    product_id = delayed_product(sessions)
    leases = leases_on(sessions)
    for _ in range(2):
        delay(sessions, product_id)
        leases.make_delayed_products_due()
        run(leases)

    assert not is_due(sessions, product_id)


def test_what_comes_too_soon_is_done_when_the_period_is_over(sessions: Sessions) -> None:
    product_id = delayed_product(sessions)
    leases = leases_on(sessions, period=PERIOD / 30)
    leases.make_delayed_products_due()
    run(leases)
    delay(sessions, product_id)
    leases.make_delayed_products_due()

    def is_made_due() -> bool:
        run(leases)
        return is_due(sessions, product_id)

    until(is_made_due)


def test_claims_for_which_no_time_is_left_are_told_of(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    stored_products(sessions, 1)
    leases = leases_on(sessions)
    leases.give_back(claims_of(run(leases, 1)))
    with caplog.at_level(logging.WARNING):
        leases.finish(until=time.monotonic())

    assert "claims were not given back in time; they lapse" in caplog.text


def test_at_the_end_all_claims_are_given_back(sessions: Sessions) -> None:
    product_ids = stored_products(sessions, 3)
    leases = leases_on(sessions)
    leases.give_back(claims_of(run(leases, 1)))
    # A run that is still going on.
    leases.start(2, due_by=None, is_probe=False)
    leases.finish(until=time.monotonic() + PATIENCE_S)

    assert [is_claimed(sessions, each) for each in product_ids] == [False] * 3
