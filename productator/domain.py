"""Values that travel between the layers; nothing here knows of a database, HTTP or Flask."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

NAME_LENGTH = 450
DESCRIPTION_LENGTH = 10_000
REMOTE_ID_LENGTH = 64
TOKEN_NAME_LENGTH = 100
MAX_ID = 2**63 - 1
# The largest integer that every JSON reader keeps exact (RFC 7493); sums of many still fit a BIGINT.
MAX_AMOUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """What a client may say of a product."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class OwnOffer:
    """What a client may say of an offer of its own."""

    price: int
    items_in_stock: int


class OfferData(NamedTuple):
    """An offer as the Offers service tells it; `id` is unique within its product only."""

    id: str
    price: int
    items_in_stock: int


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each kind of history is kept as it is; 0: for ever."""

    changes_days: int
    # Then they become points of hours, those later of days, and those go.
    raw_points_days: int
    hourly_points_days: int
    daily_points_days: int


class ChangeKind(IntEnum):
    """What happened to an offer; the numbers stand in the database."""

    APPEARED = 1
    CHANGED = 2
    REMOVED = 3


class Scope(StrEnum):
    """What a caller may do; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has said who they are; the name is for logs and never holds a secret."""

    name: str
    scopes: frozenset[Scope]

    def may(self, needed: Scope) -> bool:
        order = list(Scope)
        return any(order.index(scope) >= order.index(needed) for scope in self.scopes)


def scopes_in(words: str) -> frozenset[Scope]:
    """The scopes among words that may mean other things, too."""
    return frozenset(Scope(word) for word in words.split() if word in set(Scope))


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds."""

    quota: int
    window_s: int


@dataclass(frozen=True)
class Window:
    """How many requests there were in a stretch of time, which ends at a reading of the monotonic clock."""

    ends_at: float
    count: int


def utc_now() -> datetime:
    return datetime.now(UTC)
