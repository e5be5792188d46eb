"""Writes through the API are recorded in the transaction that makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, insert, select
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import ChangeKind
from productator.models import OfferChange, PricePoint, Refresh
from tests import factories
from tests.api.checks import PRODUCTS, offer_url, offers_url
from tests.factories import NOW

Json = dict[str, Any]
APPEARED, CHANGED, REMOVED = ChangeKind
HOUR = timedelta(hours=1)


@pytest.fixture
def session(sessions: sessionmaker[Session], client: FlaskClient) -> Session:
    """Sees the rows that are committed when it is first used."""
    del client
    return sessions()


def changes(session: Session) -> list[tuple[Any, ...]]:
    with session:
        columns = (OfferChange.offer_id, OfferChange.kind, OfferChange.price, OfferChange.items_in_stock)
        query = select(*columns).order_by(OfferChange.changed_at)
        return [tuple(row) for row in session.execute(query)]


def lowest_prices(session: Session) -> list[int | None]:
    with session:
        return list(session.scalars(select(PricePoint.lowest_price).order_by(PricePoint.starts_at)))


def test_an_own_offers_life_is_recorded(client: FlaskClient, session: Session, offer: Json) -> None:
    client.put(offer_url(offer), json={"price": 90, "items_in_stock": 4})
    client.patch(offer_url(offer), json={"items_in_stock": 0})
    client.delete(offer_url(offer))

    assert changes(session) == [
        (offer["id"], APPEARED, 100, 5),
        (offer["id"], CHANGED, 90, 4),
        (offer["id"], CHANGED, 90, 0),
        (offer["id"], REMOVED, None, None),
    ]
    assert lowest_prices(session) == [100, 90, None, None]


def test_the_times_are_those_of_the_offer(client: FlaskClient, session: Session, offer: Json) -> None:
    changed = client.patch(offer_url(offer), json={"price": 90}).get_json()
    with session:
        times = session.scalars(select(OfferChange.changed_at).order_by(OfferChange.changed_at)).all()
    kept = [f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" for time in times]

    assert kept == [offer["created_at"], changed["updated_at"]]


def test_a_change_without_effect_is_not_recorded(client: FlaskClient, session: Session, offer: Json) -> None:
    client.patch(offer_url(offer), json={"price": 100})
    client.patch(offer_url(offer), json={})

    assert len(changes(session)) == len(lowest_prices(session)) == 1


@pytest.mark.parametrize("tag", ['"7"', 'W/"1"'])
def test_a_refused_change_is_not_recorded(
    client: FlaskClient, session: Session, offer: Json, tag: str
) -> None:
    refused = client.patch(offer_url(offer), json={"price": 1}, headers={"If-Match": tag})

    assert refused.status_code == 412
    assert len(changes(session)) == 1


def test_a_repeated_post_is_recorded_once(client: FlaskClient, session: Session, product: Json) -> None:
    post = {"json": {"price": 100, "items_in_stock": 5}, "headers": {"Idempotency-Key": "once"}}
    client.post(offers_url(product), **post)
    client.post(offers_url(product), **post)

    assert len(changes(session)) == 1


def test_external_offers_count_for_the_aggregate(
    client: FlaskClient, session: Session, sessions: sessionmaker[Session], product: Json
) -> None:
    factories.external_offer(sessions, product["id"], price=50)
    factories.posted_offer(client, product["id"], price=60)

    with session:
        (point,) = session.scalars(select(PricePoint))
        assert (point.lowest_price, point.average_price, point.offers) == (50, 55_000, 2)


def test_a_deleted_product_takes_its_history_along(
    client: FlaskClient, session: Session, offer: Json
) -> None:
    client.delete(f"{PRODUCTS}/{offer['product_id']}")

    assert (changes(session), lowest_prices(session)) == ([], [])


def test_a_product_with_very_much_history_is_deleted_before_others_have_to_wait(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, other_product: Json
) -> None:
    keep_very_much(sessions, product, at=[NOW] * 10_500 + [NOW + HOUR] * 10_500)
    keep_very_much(sessions, other_product, at=[NOW])
    with statements() as sent:
        client.delete(f"{PRODUCTS}/{product['id']}")
    with sessions() as session:
        left = session.scalars(select(OfferChange.product_id)).all()

    assert left == [other_product["id"]]
    deletes = [number for number, each in enumerate(sent) if each.startswith("DELETE FROM offer_changes")]
    locks = [number for number, each in enumerate(sent) if "FROM refreshes" in each]
    assert len(deletes) == 2
    assert deletes < locks


def keep_very_much(sessions: sessionmaker[Session], product: Json, *, at: list[datetime]) -> None:
    """A change for each time, of different offers."""
    rows = [
        {"product_id": product["id"], "changed_at": time, "offer_id": offer_id, "kind": REMOVED}
        for offer_id, time in enumerate(at)
    ]
    with sessions.begin() as session:
        session.execute(insert(OfferChange), rows)


@contextmanager
def statements() -> Iterator[list[str]]:
    """All statements that are sent to any database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def test_every_write_of_an_own_offer_writes_the_row_that_the_refresher_writes(
    client: FlaskClient, session: Session, offer: Json
) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    client.delete(offer_url(offer))

    with session:
        assert session.get_one(Refresh, offer["product_id"]).own_writes == 3
