"""What is stored is counted once, also when the rest of the run fails."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from notifier.queue.results import DeliveryOutcome
from notifier.queue.store import Store
from tests.notifier import rows


class OnceWithoutDatabase(Store):
    """Loses the database after it has stored its first outcomes."""

    fails = False

    def _release(self) -> None:
        if self.fails:
            self.fails = False
            raise OperationalError("SELECT 1", {}, Exception("gone"))
        super()._release()


def test_a_delivery_that_was_stored_before_a_failure_is_counted(sessions: sessionmaker[Session]) -> None:
    channel_id, _ = rows.new_channel(sessions, "https://receiver.example/")
    rows.new_delivery(sessions, channel_id)
    store = OnceWithoutDatabase(sessions, random.Random(1))
    (claim,) = store.run([], {}, most=10).claimed
    outcomes = [DeliveryOutcome(claim, None, 204)]

    store.fails = True
    with pytest.raises(OperationalError):
        store.run(outcomes, {}, most=10)
    assert _total(store.run(outcomes, {}, most=10).counts) == 1
    assert _total(store.run([], {}, most=10).counts) == 0


def _total(counts: Mapping[str, int]) -> int:
    return sum(Counter(counts).values())
