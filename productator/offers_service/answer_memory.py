"""How much memory answers may take, over all calls."""

# Offers that were read from an answer take three times as much as its text.
_MOST_BYTES = 32 * 1024 * 1024


class AnswerMemory:
    """Counts the bytes of answers that are being received, and of those whose offers wait to be stored."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._receiving = 0
        self.unstored = 0

    @property
    def is_scarce(self) -> bool:
        """Whether the rest belongs to the calls under way."""
        return self._receiving + self.unstored > self._most // 2

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more; they are counted even if there is none."""
        self._receiving += size
        return self._receiving + self.unstored <= self._most

    def give_back(self, size: int) -> None:
        self._receiving -= size
