"""One run of the database's work: stores outcomes, holds back, releases and claims deliveries."""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from notifier.queue import claims, holding, results
from notifier.queue.claims import DeliveryClaim
from notifier.queue.results import DeliveryOutcome
from productator.database.transactions import run_transaction
from productator.domain import utc_now

# Longer than the eight claims of a hanging channel take, two at a time, and their storing.
LEASE = timedelta(seconds=90)


@dataclass(frozen=True)
class Run:
    """What a run has done."""

    claimed: Sequence[DeliveryClaim] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class Store:
    """Runs in a thread; raises what the database raises, and may be run again as a whole."""

    def __init__(self, sessions: sessionmaker[Session], chance: random.Random) -> None:
        self._sessions = sessions
        self._chance = chance

    def run(self, outcomes: Sequence[DeliveryOutcome], in_hand: Mapping[int, int], *, most: int) -> Run:
        """`in_hand` counts the claims of each channel that are neither stored nor among `outcomes`."""
        now = utc_now()
        counts = self.save(outcomes)
        # In several transactions, so that none lasts long. What must wait is never claimed.
        while run_transaction(self._sessions, lambda session: holding.hold(session, now)):
            pass
        self._release()
        if most <= 0:
            return Run(counts=counts)
        now = utc_now()
        claimed = run_transaction(
            self._sessions,
            lambda session: claims.claim(session, in_hand, most=most, now=now, lease=LEASE),
        )
        return Run(claimed, counts)

    def save(self, outcomes: Sequence[DeliveryOutcome]) -> Mapping[str, int]:
        if not outcomes:
            return {}
        now = utc_now()
        return run_transaction(
            self._sessions, lambda session: results.store(session, outcomes, now=now, chance=self._chance)
        )

    def give_back(self, unsent: Sequence[DeliveryClaim]) -> None:
        if unsent:
            now = utc_now()
            run_transaction(self._sessions, lambda session: claims.give_back(session, unsent, now=now))

    def _release(self) -> None:
        now = utc_now()
        waiting = run_transaction(self._sessions, lambda session: holding.waiting_channels(session, now))
        for channel_id in waiting:
            # Another notifier was faster.
            with suppress(IntegrityError), self._sessions.begin() as session:
                holding.release(session, channel_id, now)
