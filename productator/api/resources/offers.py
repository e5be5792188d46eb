"""Routes of a product's offers, and of the offers of all products."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, url_for
from sqlalchemy import Row
from sqlalchemy.orm import Session

from productator.api.conventions.conditional import expected_version, offer_tag, tagged, tagged_list
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import PATCH_TYPES, read_body, read_query
from productator.api.schemas import (
    OfferIn,
    OfferPatch,
    OffersQuery,
    ProductOffersQuery,
    no_content,
    offer_json,
    time_json,
)
from productator.catalogue import offers as service
from productator.database.web import reading, retried, transaction
from productator.domain import utc_now

offers = Blueprint("offers", __name__, url_prefix="/api/v1")

STALE_AFTER_PERIODS = 3


@offers.get("/offers")
@retried
def list_offers() -> Response:
    """Offers of all products, in pages."""
    query = read_query(OffersQuery)
    with reading() as connection:
        page = service.page(
            connection,
            query.filter(),
            product_id=query.product_id,
            sort=query.sort,
            limit=query.limit,
            position=position_of(query.cursor),
        )
    return page_answer(page, _items(page.rows))


@offers.get("/products/<id:product_id>/offers")
@retried
def list_offers_of_product(product_id: int) -> Response:
    """All offers of a product, and how fresh they are."""
    query = read_query(ProductOffersQuery)
    with reading() as connection:
        found = service.of_product(connection, product_id, query.filter(), sort=query.sort)
    return tagged_list(
        {
            "items": _items(found.rows),
            "next": None,
            "refreshed_at": found.refreshed_at and time_json(found.refreshed_at),
            "stale": _is_stale(found.refreshed_at, now=utc_now()),
        }
    )


@offers.post("/products/<id:product_id>/offers")
@retried
def create_offer(product_id: int) -> Response:
    """Add an own offer; the refresher never touches it."""
    data = read_body(OfferIn).data()

    def create(session: Session) -> Response:
        offer = service.create(session, product_id, data, now=utc_now())
        location = url_for("offers.get_offer", product_id=product_id, offer_id=offer.id, _external=True)
        return tagged(offer_json(offer, currency=_currency()), offer_tag(offer), 201, {"Location": location})

    return once(create)


@offers.get("/products/<id:product_id>/offers/<id:offer_id>")
@retried
def get_offer(product_id: int, offer_id: int) -> Response:
    with reading() as connection:
        offer = service.get(connection, product_id, offer_id)
    return tagged(offer_json(offer, currency=_currency()), offer_tag(offer))


@offers.put("/products/<id:product_id>/offers/<id:offer_id>")
@retried
def replace_offer(product_id: int, offer_id: int) -> Response:
    body = read_body(OfferIn)
    return _change(product_id, offer_id, {"price": body.price, "items_in_stock": body.items_in_stock})


@offers.patch("/products/<id:product_id>/offers/<id:offer_id>")
@retried
def patch_offer(product_id: int, offer_id: int) -> Response:
    """Change the named fields (RFC 7396)."""
    return _change(product_id, offer_id, read_body(OfferPatch, types=PATCH_TYPES).changes())


@offers.delete("/products/<id:product_id>/offers/<id:offer_id>")
@retried
def delete_offer(product_id: int, offer_id: int) -> Response:
    with transaction() as session:
        service.remove(session, product_id, offer_id, expected=expected_version(), now=utc_now())
    return no_content()


def _change(product_id: int, offer_id: int, changes: dict[str, int]) -> Response:
    expected = expected_version()
    with transaction() as session:
        offer = service.change(session, product_id, offer_id, changes, expected=expected, now=utc_now())
        return tagged(offer_json(offer, currency=_currency()), offer_tag(offer))


def _items(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    currency = _currency()
    return [offer_json(row, currency=currency) for row in rows]


def _currency() -> str | None:
    currency: str | None = current_app.config["CURRENCY"]
    return currency


def _is_stale(refreshed_at: datetime | None, *, now: datetime) -> bool:
    """Offers never fetched, or not for three periods."""
    age = timedelta(seconds=STALE_AFTER_PERIODS * current_app.config["REFRESHER_PERIOD_S"])
    return refreshed_at is None or now - refreshed_at > age
