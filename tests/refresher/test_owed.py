"""What is owed to products outlasts a database that is away, and is not repeated too often."""

import pytest

from refresher.leases.owed import Debt, Owed
from tests.refresher.builders import NOW, PERIOD, claim
from tests.refresher.rows import Sessions, claimed, refresh_of, set_refresh, stored_products

PERIOD_S = PERIOD.total_seconds()
FAR = NOW + 10 * PERIOD


def settle(sessions: Sessions, debt: Debt) -> None:
    with sessions.begin() as session:
        debt.settle(session, now=NOW, period=PERIOD)


def test_claims_are_due_again_as_they_were(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    owed = Owed(period=PERIOD)
    owed.give_back(claimed(sessions))
    settle(sessions, owed.due(0))

    assert refresh_of(sessions, product_id).due_at == NOW


def test_what_was_not_settled_stays_owed() -> None:
    owed = Owed(period=PERIOD)
    owed.give_back([claim(1)])
    debt = owed.due(0)
    owed.give_back([claim(2)])

    assert owed.due(0).unserved == (claim(1), claim(2))
    owed.settled(debt, now_s=0)
    assert owed.due(0).unserved == (claim(2),)


@pytest.mark.parametrize(("later_s", "forgives"), [(PERIOD_S - 1, False), (PERIOD_S, True)])
def test_nobody_is_forgiven_twice_in_a_period(later_s: float, forgives: bool) -> None:
    owed = Owed(period=PERIOD)
    owed.forgive()
    owed.settled(owed.due(0), now_s=0)
    owed.forgive()

    assert owed.due(later_s).forgives is forgives


def test_who_is_forgiven_is_due(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1, now=FAR)
    set_refresh(sessions, product_id, failures=2, due_at=FAR)
    settle(sessions, Debt(forgives=True))

    assert refresh_of(sessions, product_id).due_at == NOW
