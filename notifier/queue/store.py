"""One run of the database's work: stores outcomes, holds back, releases and claims deliveries."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import uuid4

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from notifier.queue import claims, holding, results
from notifier.queue.claims import DeliveryClaim
from notifier.queue.due import due_channels
from notifier.queue.results import DeliveryOutcome
from productator.database.bulk import slices
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
        # What is stored, but was returned by no run yet, since a later part of it failed.
        self._counts: Counter[str] = Counter()

    def run(self, outcomes: Sequence[DeliveryOutcome], in_hand: Mapping[int, int], *, most: int) -> Run:
        """`in_hand` counts the claims of each channel that are neither stored nor among `outcomes`."""
        self._counts.update(self.save(outcomes))
        self._release()
        now = utc_now()
        channels = run_transaction(self._sessions, lambda session: due_channels(session, now))
        # What must wait is never claimed. In several transactions, so that none lasts long.
        for some in slices([each for each in channels if each.must_wait], holding.CHANNELS_AT_A_TIME):
            run_transaction(self._sessions, partial(holding.hold, channels=some, now=now))
        if most <= 0 or not channels:
            return self._run()
        claiming = partial(
            claims.claim,
            token=uuid4().hex,
            channels=channels,
            in_hand=in_hand,
            most=most,
            now=now,
            lease=LEASE,
        )
        return self._run(run_transaction(self._sessions, claiming))

    def _run(self, claimed: Sequence[DeliveryClaim] = ()) -> Run:
        counts, self._counts = self._counts, Counter()
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
