"""Keeps the rows of `product_prices`: after each change of a lowest price, and once a day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from productator.database.bulk import replace_rows
from productator.database.number_lists import in_list
from productator.database.prepared import Prepared
from productator.models import Offer, ProductPrice, Refresh
from productator.prices import records
from productator.prices.day_lows import DAYS, DayLows, lows_in, observed, of_history, text_of
from productator.prices.segments import DAY, EPOCH, TimeRange, microseconds

_PRICES = cast("Table", ProductPrice.__table__)
_NAMES = ("product_id", "lowest_price", "change_permille", "is_lowest", "day", "day_lows", "changed_at")
_KNOWN = Prepared(
    select(
        *(_PRICES.c[name] for name in ("product_id", "changed_at", "lowest_price", "day", "day_lows"))
    ).where(in_list(_PRICES.c.product_id, "product_ids"))
)
# Some hundredths of a second's work, and no lock lasts longer.
_PRODUCTS_A_STEP = 200
# A product without a row may have very many records.
_FILLED_A_STEP = 10


class _Known(NamedTuple):
    lows: DayLows
    changed_at: datetime | None = None


def day_of(time: datetime) -> int:
    return (time - EPOCH).days


def record(
    session: Session,
    changed: Mapping[int, int | None],
    new: Iterable[int],
    *,
    times: Mapping[int, datetime],
    today: int,
) -> None:
    """Writes lowest prices that have changed, of products whose `refreshes` rows the caller has locked.

    Of a product without a row nothing is written unless it is new, or the row would hide its history.
    """
    before = _known(session, changed)
    recorded = before.keys() | new
    _write(
        session,
        {
            product_id: _Known(observed(known.lows, lowest_price, today=today), times[product_id])
            if (known := before.get(product_id))
            else _Known(observed(None, lowest_price, today=today))
            for product_id, lowest_price in changed.items()
            if product_id in recorded
        },
    )


def bring_up_to_date(session: Session, *, after: int, now: datetime) -> int:
    """Writes the rows of some products that are missing or not of today.

    Returns the last product that was looked at, 0 after all of them.
    """
    today = day_of(now)
    query = (
        select(Refresh.product_id, ProductPrice.day)
        .outerjoin(ProductPrice, ProductPrice.product_id == Refresh.product_id)
        .where(Refresh.product_id > after)
        .order_by(Refresh.product_id)
        .limit(_PRODUCTS_A_STEP)
    )
    days = dict(session.execute(query).all())
    missing = [product_id for product_id, day in days.items() if day is None][:_FILLED_A_STEP]
    old = [product_id for product_id, day in days.items() if day not in {None, today}]
    if missing or old:
        _update(session, missing, old, now=now)
    if len(missing) == _FILLED_A_STEP:
        return missing[-1]
    return max(days, default=0)


def _update(session: Session, missing: Sequence[int], old: Sequence[int], *, now: datetime) -> None:
    # The locks of those who record changes: nothing is recorded meanwhile.
    locks = select(Refresh.product_id).where(Refresh.product_id.in_((*missing, *old)))
    locked = session.scalars(locks.order_by(Refresh.product_id).with_for_update()).all()
    prices = _lowest_prices(session, locked)
    before = _known(session, locked)
    _write(
        session,
        {
            product_id: before[product_id]._replace(
                lows=observed(before[product_id].lows, prices.get(product_id), today=day_of(now))
            )
            if product_id in before
            else _Known(_from_history(session, product_id, prices.get(product_id), now))
            for product_id in locked
        },
    )


def _from_history(session: Session, product_id: int, lowest_price: int | None, now: datetime) -> DayLows:
    today = day_of(now)
    within = TimeRange((today - DAYS + 1) * DAY, microseconds(now))
    history = records.lowest_prices(session.connection(), product_id, within)
    return of_history(history, lowest_price, today=today)


def _known(session: Session, product_ids: Iterable[int]) -> dict[int, _Known]:
    rows = _KNOWN.rows(session.connection(), {"product_ids": product_ids})
    return {
        product_id: _Known(DayLows(price, day, lows_in(lows)), changed_at)
        for product_id, changed_at, price, day, lows in rows
    }


def _lowest_prices(session: Session, product_ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(Offer.product_id, func.min(Offer.price))
        .where(Offer.product_id.in_(product_ids), Offer.items_in_stock > 0)
        .group_by(Offer.product_id)
    )
    return dict(session.execute(query).all())


def _write(session: Session, rows: Mapping[int, _Known]) -> None:
    values: list[tuple[Any, ...]] = [
        (
            product_id,
            each.lowest_price,
            each.change_permille,
            each.is_lowest,
            each.day,
            text_of(each.lows),
            at,
        )
        for product_id, (each, at) in rows.items()
    ]
    if values:
        replace_rows(session.connection(), _PRICES, _NAMES, values)
