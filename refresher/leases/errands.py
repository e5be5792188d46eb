"""What the worker wants of the database beside storing: to take claims, and to give some back."""

import time
from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from productator.database.transactions import run_transaction
from refresher.leases import row_locks
from refresher.leases.claims import Claim, Claiming, Wanted
from refresher.leases.owed import Debt
from refresher.leases.row_locks import RowsLocked

# So long products are left out whose rows somebody held.
_AVOIDED_S = 30.0


class Errands:
    """Run one at a time, each in a transaction or two. They raise what the database raises."""

    def __init__(self, sessions: sessionmaker[Session], *, period: timedelta, lease: timedelta) -> None:
        self._sessions = sessions
        self._period = period
        self._lease = lease
        # Until when each product is left out, by a monotonic clock.
        self._avoided: dict[int, float] = {}

    @property
    def avoided(self) -> Set[int]:
        """Products that are left out for now."""
        return {each for each, until in self._avoided.items() if until > time.monotonic()}

    def run(self, debt: Debt, wanted: Wanted, *, now: datetime) -> list[Claim]:
        """Settles the debt and takes what is wanted."""
        if debt:
            self._settle(debt, now=now)
        if not wanted.limit:
            return []
        claiming = self._claiming(wanted, now)
        try:
            return run_transaction(self._sessions, claiming)
        except RowsLocked:
            until = time.monotonic() + _AVOIDED_S
            self._avoided |= dict.fromkeys(row_locks.find(self._sessions, sorted(claiming.tried)), until)
        return run_transaction(self._sessions, self._claiming(wanted, now))

    def _claiming(self, wanted: Wanted, now: datetime) -> Claiming:
        return Claiming(replace(wanted, avoiding=self.avoided), now=now, lease=self._lease)

    def _settle(self, debt: Debt, *, now: datetime) -> None:
        def settle(session: Session) -> None:
            debt.settle(session, now=now, period=self._period)

        try:
            run_transaction(self._sessions, settle)
        except RowsLocked:
            held = row_locks.find(self._sessions, sorted(claim.product_id for claim in debt.unserved))
            debt = debt.without(held)
            run_transaction(self._sessions, settle)
