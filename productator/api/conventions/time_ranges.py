"""The range of time that a query asks about: from `from` on, until before `to`."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

from productator.catalogue.validation import Location
from productator.domain import time_of_json

# Nothing is recorded outside of these, so a time outside counts as one of them. Some have no time in UTC.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def moment(text: object) -> datetime:
    """A time in RFC 3339 with a zone, as UTC; the message of a ValueError says what is wrong."""
    moment = time_of_json(text if isinstance(text, str) else "")
    return min(max(moment, _EARLIEST), _LATEST).astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(moment)]


def wrong_order(since: datetime | None, until: datetime | None) -> list[tuple[Location, str]]:
    """What is wrong with a range that ends before it begins; a range of no length is empty."""
    if since is not None and until is not None and since > until:
        return [(("from",), "Must not be after `to`.")]
    return []
