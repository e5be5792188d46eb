"""Values that all layers share; nothing here knows a database, HTTP or Flask."""

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
class NewProduct:
    """The fields of a product that a client sets."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class OwnOffer:
    """The fields of an own offer, all set by a client."""

    price: int
    items_in_stock: int


class OfferData(NamedTuple):
    """An offer as the Offers service answers it; `id` is unique within its product only."""

    id: str
    price: int
    items_in_stock: int


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each part of the history is kept; 0: for ever."""

    changes_days: int
    # Raw points are then rolled up to hours, hours later to days, and days are deleted at the end.
    raw_points_days: int
    hourly_points_days: int
    daily_points_days: int


class ChangeKind(IntEnum):
    """What happened to an offer; the database stores the number."""

    APPEARED = 1
    CHANGED = 2
    REMOVED = 3


class Scope(StrEnum):
    """A permission of a caller; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; the name goes into logs and holds no secret."""

    name: str
    scopes: frozenset[Scope]

    def may(self, needed: Scope) -> bool:
        order = list(Scope)
        return any(order.index(scope) >= order.index(needed) for scope in self.scopes)


def scopes_in(text: str) -> frozenset[Scope]:
    """The scopes among the words of a text; other words have another meaning elsewhere."""
    return frozenset(Scope(word) for word in text.split() if word in set(Scope))


@dataclass(frozen=True)
class Rate:
    """The number of requests that a caller may send in a number of seconds."""

    quota: int
    window_s: int


@dataclass(frozen=True)
class RateWindow:
    """The number of requests in a stretch of time that ends at `ends_at` on the monotonic clock."""

    ends_at: float
    count: int


def utc_now() -> datetime:
    return datetime.now(UTC)
