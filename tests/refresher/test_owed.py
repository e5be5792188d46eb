"""What is owed to products outlasts a database that is away, and is not repeated too often."""

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from productator.engine import ATTEMPTS
from refresher.owed import Owed
from tests.refresher.builders import NOW, PERIOD
from tests.refresher.rows import LostSessions, Sessions, claimed, refresh_of, set_refresh, stored_products

PERIOD_S = PERIOD.total_seconds()
FAR = NOW + 10 * PERIOD


def test_claims_are_given_back_when_the_database_is_back(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    away: Any = LostSessions(sessions, lost=ATTEMPTS)
    owed = Owed(away, period=PERIOD)
    owed.give_back(claimed(sessions))
    with pytest.raises(DBAPIError):
        owed.settle(now=NOW, now_s=0)
    owed.settle(now=NOW, now_s=0)

    assert refresh_of(sessions, product_id).due_at == NOW


@pytest.mark.parametrize(("later_s", "is_due"), [(PERIOD_S - 1, False), (PERIOD_S, True)])
def test_nobody_is_forgiven_twice_in_a_period(sessions: Sessions, later_s: float, is_due: bool) -> None:
    (product_id,) = stored_products(sessions, 1, now=FAR)
    owed = Owed(sessions, period=PERIOD)
    for now_s in (0, later_s):
        set_refresh(sessions, product_id, failures=2, due_at=FAR)
        owed.forgive()
        owed.settle(now=NOW, now_s=now_s)

    assert (refresh_of(sessions, product_id).due_at == NOW) is is_due
