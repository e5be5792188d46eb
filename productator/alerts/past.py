"""The past that drops, rises and new lows compare with."""

from sqlalchemy import Connection, select

from productator.alerts.firing import Kind
from productator.alerts.rules import RuleRow
from productator.models import AlertRule, PricePoint
from productator.prices import records
from productator.prices.segments import DAY, TimeRange, microseconds, time_of

# Of `drop` and `rise`: the reference is the lowest price of so long a time before the change.
_REFERENCE = 30 * DAY
# A new low is one only where so much is known.
_KNOWN_FOR = 14 * DAY


def past_lowest(
    connection: Connection, rule: AlertRule | RuleRow, product_id: int, *, first: int, at: int
) -> int | None:
    """What a price that begins at `at` is compared with; `first` is when the product's history begins."""
    if rule.kind == Kind.NEW_LOW:
        if at - first < _KNOWN_FOR:
            return None
        since = 0 if rule.days is None else at - rule.days * DAY
    else:
        since = at - _REFERENCE
    found = records.lowest_price(connection, product_id, TimeRange(since, at))
    return None if found is None else found.price


def held_since(connection: Connection, product_id: int, at: int) -> int:
    """When the price that holds at `at` began."""
    query = select(PricePoint.starts_at).where(
        PricePoint.product_id == product_id, PricePoint.starts_at <= time_of(at)
    )
    found = connection.scalar(query.order_by(PricePoint.starts_at.desc()).limit(1))
    return at if found is None else microseconds(found)
