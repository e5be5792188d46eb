"""Routes of a product's offers, and of the offers of all products."""

from datetime import datetime, timedelta

from flask import Blueprint, Response, current_app
from sqlalchemy.orm import Session

from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import expected_version, offer_tag, tagged
from productator.api.conventions.cursors import json_page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import PATCH_TYPES, read_body, read_query
from productator.api.conventions.responses import no_content
from productator.api.schemas.answers import offer_json
from productator.api.schemas.bodies import OfferIn, OfferPatch
from productator.api.schemas.queries import OffersQuery, ProductOffersQuery
from productator.catalogue import offers as catalogue
from productator.database.web import reading, transaction
from productator.domain import STALE_AFTER_PERIODS, time_json, utc_now

offers = Blueprint("offers", __name__, url_prefix="/api/v1")


@offers.get("/offers")
def list_offers() -> Response:
    """Offers of all products, in pages."""
    query = read_query(OffersQuery)
    position = position_of(query.cursor, catalogue.ORDERS[query.sort])
    with reading() as connection:
        page = catalogue.page(
            connection,
            query.filter(),
            product_id=query.product_id,
            currency=_currency(),
            sort=query.sort,
            limit=query.limit,
            position=position,
        )
    return json_page_answer(page)


@offers.get("/products/<id:product_id>/offers")
def list_offers_of_product(product_id: int) -> Response:
    """A product's offers in pages, and how fresh they are."""
    query = read_query(ProductOffersQuery)
    position = position_of(query.cursor, catalogue.ORDERS[query.sort])
    with reading() as connection:
        found = catalogue.page_of_product(
            connection,
            product_id,
            query.filter(),
            currency=_currency(),
            sort=query.sort,
            limit=query.limit,
            position=position,
        )
    return json_page_answer(
        found.page,
        refreshed_at=None if found.refreshed_at is None else time_json(found.refreshed_at),
        stale=_is_stale(found.refreshed_at, now=utc_now()),
    )


@offers.post("/products/<id:product_id>/offers")
def create_offer(product_id: int) -> Response:
    """Add an own offer; the refresher never touches it."""
    new = read_body(OfferIn).own_offer()

    def create(session: Session) -> Response:
        offer = catalogue.create(session, product_id, new, now=utc_now())
        location = address_of("offers.get_offer", product_id=product_id, offer_id=offer.id)
        return tagged(offer_json(offer, currency=_currency()), offer_tag(offer), 201, {"Location": location})

    return once(create)


@offers.get("/products/<id:product_id>/offers/<id:offer_id>")
def get_offer(product_id: int, offer_id: int) -> Response:
    with reading() as connection:
        offer = catalogue.get(connection, product_id, offer_id)
    return tagged(offer_json(offer, currency=_currency()), offer_tag(offer))


@offers.put("/products/<id:product_id>/offers/<id:offer_id>")
def replace_offer(product_id: int, offer_id: int) -> Response:
    body = read_body(OfferIn)
    return _change(product_id, offer_id, {"price": body.price, "items_in_stock": body.items_in_stock})


@offers.patch("/products/<id:product_id>/offers/<id:offer_id>")
def patch_offer(product_id: int, offer_id: int) -> Response:
    """Change the named fields (RFC 7396)."""
    return _change(product_id, offer_id, read_body(OfferPatch, types=PATCH_TYPES).changes())


@offers.delete("/products/<id:product_id>/offers/<id:offer_id>")
def delete_offer(product_id: int, offer_id: int) -> Response:
    expected = expected_version()
    with transaction() as session:
        catalogue.remove(session, product_id, offer_id, expected=expected, now=utc_now())
    return no_content()


def _change(product_id: int, offer_id: int, changes: dict[str, int]) -> Response:
    expected = expected_version()
    with transaction() as session:
        offer = catalogue.change(session, product_id, offer_id, changes, expected=expected, now=utc_now())
    return tagged(offer_json(offer, currency=_currency()), offer_tag(offer))


def _currency() -> str | None:
    currency: str | None = current_app.config["CURRENCY"]
    return currency


def _is_stale(refreshed_at: datetime | None, *, now: datetime) -> bool:
    """Offers never fetched, not for three periods, or by a clock that was ahead."""
    age = timedelta(seconds=STALE_AFTER_PERIODS * current_app.config["REFRESHER_PERIOD_S"])
    return refreshed_at is None or abs(now - refreshed_at) > age
