"""Fills a database with products whose prices have moved for months, for screenshots and measurements."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows
from productator.models import Offer, Product, Refresh
from productator.prices import day_figures, product_prices
from productator.prices.changes import OfferState, aggregate, events
from productator.prices.history_tables import CHANGE_COLUMNS, CHANGES, POINT_COLUMNS, POINTS

_OFFERS = cast("Table", Offer.__table__)
_OFFER_COLUMNS = (
    "id", "product_id", "remote_id", "price", "items_in_stock", "version", "created_at", "updated_at"
)  # fmt: skip


def add_product(
    session: Session,
    name: str,
    *,
    price: int,
    chance: random.Random,
    now: datetime,
    days: int = 100,
    changes_a_day: float = 1.5,
    drift: float = 0.0,
    offers: int = 6,
    stock: float = 0.9,
    description: str = "",
) -> int:
    """A product that was created so many days ago; `drift` is how its prices move over all of that time."""
    begin = now - timedelta(days=days)
    product = Product(
        name=name,
        description=description,
        remote_id=str(UUID(int=chance.getrandbits(128))),
        created_at=begin,
        updated_at=begin,
        registered_at=begin,
    )
    session.add(product)
    session.flush()
    session.add(
        Refresh(
            product_id=product.id,
            due_at=now + timedelta(days=365),
            refreshed_at=now - timedelta(seconds=chance.randint(1, 29)),
            pending=False,
        )
    )
    first_id = (session.scalar(select(func.max(Offer.id))) or 0) + 1
    states: dict[int, OfferState] = {}
    changed_at: dict[int, datetime] = {}
    change_rows, point_rows = [], []
    for at, offer_id, state in _moves(
        first_id, begin, price=price, chance=chance, days=days, rate=changes_a_day, drift=drift,
        offers=offers, stock=stock,
    ):  # fmt: skip
        after = {**states, offer_id: state}
        change_rows += [(product.id, at, *event) for event in events(states, after)]
        if aggregate(after.values()) != aggregate(states.values()):
            point_rows.append((product.id, at, 0, *aggregate(after.values())))
        states, changed_at[offer_id] = after, at
    connection = session.connection()
    rows = [(each, product.id, *state, 1, begin, changed_at[each]) for each, state in states.items()]
    insert_rows(connection, _OFFERS, _OFFER_COLUMNS, rows)
    insert_rows(connection, CHANGES, CHANGE_COLUMNS, change_rows)
    insert_rows(connection, POINTS, POINT_COLUMNS, point_rows)
    return product.id


def _moves(
    first_id: int,
    begin: datetime,
    *,
    price: int,
    chance: random.Random,
    days: int,
    rate: float,
    drift: float,
    offers: int,
    stock: float,
) -> Iterator[tuple[datetime, int, OfferState]]:
    """When which offer became what: all offers at the beginning, then one at a time."""
    levels = [1 + 0.05 * each + chance.uniform(0, 0.04) for each in range(offers)]
    for number in range(offers):
        at = begin + timedelta(microseconds=number)
        yield at, first_id + number, OfferState(f"offer-{number}", round(price * levels[number]), 5)
    seconds = sorted(chance.uniform(60, days * 86_400 - 60) for _ in range(round(days * rate)))
    for second in seconds:
        number = chance.randrange(offers)
        levels[number] *= chance.uniform(0.965, 1.036)
        moved = price * levels[number] * (1 + drift * second / (days * 86_400))
        items = chance.randint(1, 40) if chance.random() < stock else 0
        at = begin + timedelta(seconds=second)
        yield at, first_id + number, OfferState(f"offer-{number}", _rounded(moved), items)


def _rounded(price: float) -> int:
    """As shops like prices: they end with a nine."""
    return max(9, round(price / 10) * 10 - 1)


def keep_day_figures(session: Session, product_id: int, *, now: datetime, days: int) -> None:
    """What the refresher's maintenance does for the finished days of a product with very many changes."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in range(1, days + 1):
        day_figures.keep(session.connection(), product_id, today - timedelta(days=ago))


def keep_day_lows(session: Session, *, now: datetime) -> None:
    """What the refresher's maintenance does beside its other tasks."""
    after = -1
    while after:
        after = product_prices.bring_up_to_date(session, after=max(after, 0), now=now)
