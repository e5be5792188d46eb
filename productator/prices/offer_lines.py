"""The prices of single offers over time, as the steps of a line."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, union_all

from productator.models import OfferChange
from productator.prices.segments import TimeRange, microseconds, time_of

# More could not be told apart in a chart.
_CHANGES_A_LINE = 200


class OfferStep(NamedTuple):
    """What held in [start, end); the price is None while the offer was not in stock."""

    start: int
    end: int
    price: int | None


class OfferLine(NamedTuple):
    offer_id: int
    steps: Sequence[OfferStep]
    # Whether there were more changes in the range before the first step.
    is_cut: bool


def lines(
    connection: Connection, product_id: int, offer_ids: Iterable[int], within: TimeRange
) -> list[OfferLine]:
    """Of each offer that is known in the range the newest changes, in the order of `offer_ids`."""
    queries = [select(_newest(product_id, offer_id, within).subquery()) for offer_id in offer_ids]
    if not queries:
        return []
    found: dict[int, list[Any]] = {offer_id: [] for offer_id in offer_ids}
    for change in connection.execute(union_all(*queries)):
        found[change.offer_id].append(change)
    return [_line(offer_id, changes, within) for offer_id, changes in found.items() if changes]


def _newest(
    product_id: int, offer_id: int, within: TimeRange
) -> Select[int, datetime, int | None, int | None]:
    of_offer = (OfferChange.product_id == product_id, OfferChange.offer_id == offer_id)
    start, end = time_of(within.start), time_of(within.end)
    carried_in = select(func.max(OfferChange.changed_at)).where(*of_offer, OfferChange.changed_at <= start)
    return (
        select(OfferChange.offer_id, OfferChange.changed_at, OfferChange.price, OfferChange.items_in_stock)
        .where(
            *of_offer,
            OfferChange.changed_at >= func.coalesce(carried_in.scalar_subquery(), start),
            OfferChange.changed_at < end,
        )
        .order_by(OfferChange.changed_at.desc())
        .limit(_CHANGES_A_LINE + 1)
    )


def _line(offer_id: int, changes: list[Any], within: TimeRange) -> OfferLine:
    newest = sorted(changes, key=lambda each: each.changed_at)[-_CHANGES_A_LINE:]
    values = [
        (max(microseconds(each.changed_at), within.start), each.price if each.items_in_stock else None)
        for each in newest
    ]
    steps = [
        OfferStep(start, end, price) for (start, price), (end, _) in pairwise([*values, (within.end, None)])
    ]
    return OfferLine(offer_id, steps, is_cut=len(changes) > _CHANGES_A_LINE)
