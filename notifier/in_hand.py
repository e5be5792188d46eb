"""Claims in hand: which of them may be sent now, so that a slow receiver delays no other."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from notifier.queue.claims import DeliveryClaim

UNDER_WAY_A_CHANNEL = 2


class ClaimsInHand:
    """A few of each channel are under way, and the others wait."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[DeliveryClaim]] = defaultdict(deque)
        self._under_way: Counter[int] = Counter()
        # Channels of which another message may be sent: most turns end one call of hundreds.
        self._ready: set[int] = set()
        # How many each channel has, waiting or under way.
        self.in_hand: Counter[int] = Counter()

    def add(self, claims: Sequence[DeliveryClaim]) -> None:
        for claim in claims:
            self._waiting[claim.channel.id].append(claim)
            self.in_hand[claim.channel.id] += 1
            self._ready.add(claim.channel.id)

    def next(self) -> list[DeliveryClaim]:
        """What may be sent now."""
        found = []
        for channel_id in sorted(self._ready & self._waiting.keys()):
            waiting = self._waiting[channel_id]
            while waiting and self._under_way[channel_id] < UNDER_WAY_A_CHANNEL:
                self._under_way[channel_id] += 1
                found.append(waiting.popleft())
            if not waiting:
                del self._waiting[channel_id]
        self._ready.clear()
        return found

    def end(self, claim: DeliveryClaim) -> None:
        self._ready.add(claim.channel.id)
        for counter in (self._under_way, self.in_hand):
            counter[claim.channel.id] -= 1
            if not counter[claim.channel.id]:
                del counter[claim.channel.id]

    def drop_waiting(self) -> list[DeliveryClaim]:
        """What was not sent."""
        dropped = [claim for waiting in self._waiting.values() for claim in waiting]
        self._waiting.clear()
        for claim in dropped:
            self.in_hand[claim.channel.id] -= 1
        self.in_hand += Counter()
        return dropped
