"""The range of time that a query asks about: from `from` on, until before `to`."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

from productator.catalogue.validation import Location

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# Nothing is recorded outside of these, so a time outside counts as one of them. Some have no time in UTC.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def moment(text: object) -> datetime:
    """A time in RFC 3339 with a zone, as UTC; the message of a ValueError says what is wrong."""
    # An unescaped "+" arrives as a blank.
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("must be a time with a zone, such as 2026-11-23T12:00:00Z (a + is written %2B)")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as exc:
        raise ValueError("is not a time of the calendar") from exc
    return min(max(moment, _EARLIEST), _LATEST).astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(moment)]


def wrong_order(since: datetime | None, until: datetime | None) -> list[tuple[Location, str]]:
    """What is wrong with a range that ends before it begins; a range of no length is empty."""
    if since is not None and until is not None and since > until:
        return [(("from",), "Must not be after `to`.")]
    return []
