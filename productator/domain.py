"""Values that several layers use; this module knows no database, HTTP or Flask."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

NAME_LENGTH = 450
DESCRIPTION_LENGTH = 10_000
REMOTE_ID_LENGTH = 64
TOKEN_NAME_LENGTH = 100
MAX_ID = 2**63 - 1
# The largest integer that every JSON reader keeps exact (RFC 7493). Sums of many still fit a BIGINT.
MAX_AMOUNT = 2**53 - 1
# Offers that were not refreshed for so many periods are stale.
STALE_AFTER_PERIODS = 3
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# In a query it arrives as a blank.
_UNESCAPED_PLUS = re.compile(r":\d\d(\.\d+)? \d\d:\d\d$", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewProduct:
    """The fields of a product that a client sets."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class OwnOffer:
    """The fields of an own offer that a client sets."""

    price: int
    items_in_stock: int


class OfferData(NamedTuple):
    """An offer from the Offers service; its `id` is unique within its product only."""

    id: str
    price: int
    items_in_stock: int


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days history is kept at each resolution; 0: for ever."""

    changes_days: int
    # Raw points are rolled up to points of hours, those to points of days, and those are deleted.
    raw_points_days: int
    hourly_points_days: int
    daily_points_days: int


class ChangeKind(IntEnum):
    """What happened to an offer; the database stores the numbers."""

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
    """Who sent a request, by a valid token; the name is for logs and holds no secret."""

    name: str
    scopes: frozenset[Scope]

    def may(self, needed: Scope) -> bool:
        order = list(Scope)
        return any(order.index(scope) >= order.index(needed) for scope in self.scopes)


def scopes_in(text: str) -> frozenset[Scope]:
    """The scopes in a list separated by spaces; other entries are ignored."""
    return frozenset(Scope(entry) for entry in text.split() if entry in set(Scope))


Network = IPv4Network | IPv6Network


def networks_in(text: str) -> frozenset[Network]:
    """The networks of a list such as `10.1.0.0/16 fd00::/8`; raises ValueError."""
    return frozenset(ip_network(each) for each in text.replace(",", " ").split())


@dataclass(frozen=True)
class Rate:
    """A rate limit: at most `quota` requests in `window_s` seconds."""

    quota: int
    window_s: int


@dataclass(frozen=True)
class RateWindow:
    """How many requests a caller sent in a time window that ends at a time of the monotonic clock."""

    ends_at: float
    count: int


def utc_now() -> datetime:
    return datetime.now(UTC)


def time_of_json(text: str) -> datetime:
    """A time in RFC 3339 with a zone; the message of a ValueError says what is wrong."""
    if not _RFC_3339.fullmatch(text):
        advice = " (a + is written %2B)" if _UNESCAPED_PLUS.search(text) else ""
        raise ValueError(f"must be a time with a zone, such as 2026-11-23T12:00:00Z{advice}")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as exc:
        raise ValueError("is not a time of the calendar") from exc


def time_json(time: datetime) -> str:
    """A time as JSON has it, by RFC 3339."""
    # All times are UTC, so the six characters cut off are "+00:00".
    return time.isoformat("T", "microseconds")[:-6] + "Z"
