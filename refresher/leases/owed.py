"""What the database is still to be told of products that were not served; kept until it has taken it."""

import math
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from refresher.leases import claims
from refresher.leases.claims import Claim
from refresher.leases.row_locks import told_apart
from refresher.storing import batch


@dataclass(frozen=True)
class Debt:
    # To be due again as they were.
    unserved: tuple[Claim, ...] = ()
    # Products that were put off are to be due.
    forgives: bool = False

    def __bool__(self) -> bool:
        return bool(self.unserved) or self.forgives

    def settle(self, session: Session, *, now: datetime, period: timedelta) -> None:
        """Does no harm when done twice. Raises RowsLocked."""
        with told_apart():
            claims.give_back(session, self.unserved)
            if self.forgives:
                batch.forgive(session, now=now, period=period)

    def without(self, held: Set[int]) -> "Debt":
        """What can be settled while somebody holds these products' rows; their claims lapse by themselves."""
        return Debt(tuple(each for each in self.unserved if each.product_id not in held))


class Owed:
    def __init__(self, *, period: timedelta) -> None:
        self._period_s = period.total_seconds()
        self._unserved: list[Claim] = []
        self._is_forgiving = False
        self._forgiven_at = -math.inf

    def give_back(self, unserved: Iterable[Claim]) -> None:
        self._unserved += unserved

    def forgive(self) -> None:
        self._is_forgiving = True

    def due(self, now_s: float) -> Debt:
        """What is to be settled now, by a monotonic clock."""
        # Once a period at most: while the service is well by turns, nobody is asked for each time.
        forgives = self._is_forgiving and now_s - self._forgiven_at >= self._period_s
        return Debt(tuple(self._unserved), forgives)

    def settled(self, debt: Debt, *, now_s: float) -> None:
        """What was owed since stays owed; also for a debt that the database refuses."""
        self._unserved = self._unserved[len(debt.unserved) :]
        if debt.forgives:
            self._is_forgiving, self._forgiven_at = False, now_s
