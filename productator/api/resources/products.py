"""Routes of /api/v1/products."""

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import expected_version, product_tag, tagged, tagged_content
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import PATCH_TYPES, read_body, read_query
from productator.api.conventions.responses import json_response, no_content
from productator.api.resources import product_batch
from productator.api.schemas.answers import RefreshJson, product_json, refresh_state_json
from productator.api.schemas.bodies import ProductPatch
from productator.api.schemas.queries import ProductsQuery
from productator.catalogue import products as catalogue
from productator.catalogue.validation import ProductIn
from productator.database.web import reading, transaction
from productator.domain import time_json, utc_now

products = Blueprint("products", __name__, url_prefix="/api/v1/products")


@products.get("")
def list_products() -> Response:
    """Products in pages, by id unless `sort` says otherwise."""
    query = read_query(ProductsQuery)
    position = position_of(query.cursor, catalogue.ORDERS[query.sort])
    with reading() as connection:
        page = catalogue.page(
            connection,
            text=query.q,
            sort=query.sort,
            limit=query.limit,
            position=position,
        )
    return page_answer(page, map(product_json, page.rows))


@products.post("")
def create_product() -> Response:
    """Create a product; the refresher registers it and fetches its first offers within about a second."""
    new = read_body(ProductIn).new_product()

    def create(session: Session) -> Response:
        product = catalogue.create(session, new, now=utc_now())
        location = address_of("products.get_product", product_id=product.id)
        return tagged(product_json(product), product_tag(product), 201, {"Location": location})

    return once(create)


@products.post("/batch")
def create_products() -> Response:
    """Create up to 1,000 products; the answer has the outcome of each.

    The valid ones are created in one transaction, even if others are refused.
    """
    items = product_batch.read_items()

    def create(session: Session) -> Response:
        created = catalogue.create_many(session, product_batch.valid(items), now=utc_now())
        return product_batch.batch_response(items, created)

    return once(create)


@products.get("/<id:product_id>")
def get_product(product_id: int) -> Response:
    with reading() as connection:
        product = catalogue.get(connection, product_id)
    return tagged(product_json(product), product_tag(product))


@products.put("/<id:product_id>")
def replace_product(product_id: int) -> Response:
    new = read_body(ProductIn).new_product()
    return _change(product_id, {"name": new.name, "description": new.description})


@products.patch("/<id:product_id>")
def patch_product(product_id: int) -> Response:
    """Change the named fields (RFC 7396)."""
    return _change(product_id, read_body(ProductPatch, types=PATCH_TYPES).changes())


@products.delete("/<id:product_id>")
def delete_product(product_id: int) -> Response:
    """Delete a product with its offers."""
    expected = expected_version()
    with transaction() as session:
        catalogue.remove(session, product_id, expected=expected)
    return no_content()


@products.get("/<id:product_id>/refresh")
def get_refresh(product_id: int) -> Response:
    """How keeping a product's offers fresh goes; it changes with every try, unlike the product."""
    with reading() as connection:
        state = catalogue.refresh_state(connection, product_id)
    return tagged_content(json_response(refresh_state_json(product_id, state)))


@products.post("/<id:product_id>/refresh")
def refresh_product(product_id: int) -> Response:
    """Request fresh offers now instead of at the product's next slot."""

    def refresh(session: Session) -> Response:
        now = utc_now()
        catalogue.refresh_now(session, product_id, now=now)
        body: RefreshJson = {"product_id": product_id, "due_at": time_json(now)}
        return json_response(body, 202)

    return once(refresh)


def _change(product_id: int, changes: dict[str, str]) -> Response:
    expected = expected_version()
    with transaction() as session:
        product = catalogue.change(session, product_id, changes, expected=expected, now=utc_now())
    return tagged(product_json(product), product_tag(product))
