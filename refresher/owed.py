"""What the database is still to be told of products that were not served; kept until it has taken it."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session, sessionmaker

from productator.engine import run_transaction
from refresher import claims, store
from refresher.claims import Claim


class Owed:
    def __init__(self, sessions: sessionmaker[Session], *, period: timedelta) -> None:
        self._sessions = sessions
        self._period = period
        self._unserved: list[Claim] = []
        self._is_forgiving = False
        self._forgiven_at = -math.inf

    def give_back(self, unserved: Iterable[Claim]) -> None:
        """Claims that are to be due again as they were."""
        self._unserved += unserved

    def forgive(self) -> None:
        """Products that were put off are to be due."""
        self._is_forgiving = True

    def settle(self, *, now: datetime, now_s: float) -> None:
        """`now_s` is a monotonic clock's. Raises what the database raises."""
        if self._unserved:
            run_transaction(self._sessions, partial(claims.give_back, claims=self._unserved))
            self._unserved = []
        # Once a period at most: while the service is well by turns, nobody is asked for each time.
        if self._is_forgiving and now_s - self._forgiven_at >= self._period.total_seconds():
            run_transaction(self._sessions, partial(store.forgive, now=now, period=self._period))
            self._is_forgiving, self._forgiven_at = False, now_s

    def let_go(self) -> None:
        """The database refuses it: claims lapse when their leases end."""
        self._unserved, self._is_forgiving = [], False
