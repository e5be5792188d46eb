"""Routes of what offers were: their changes, oldest first, in pages."""

from typing import Annotated, Any

from flask import Blueprint, Response, current_app
from pydantic import Field
from sqlalchemy import Row

from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.parsing import read_query
from productator.api.conventions.time_ranges import Moment, check_order
from productator.api.schemas.answers import time_json
from productator.api.schemas.queries import Cursor, Limit, Query
from productator.database.keyset import Page
from productator.database.web import reading
from productator.domain import ChangeKind
from productator.prices import recording as service
from productator.prices.recording import Span

history = Blueprint("history", __name__, url_prefix="/api/v1/products/<id:product_id>/offers")


class OfferChangesQuery(Query):
    since: Annotated[Moment | None, Field(alias="from", description="RFC 3339.")] = None
    until: Annotated[Moment | None, Field(alias="to", description="RFC 3339, exclusive.")] = None
    limit: Limit = 50
    cursor: Cursor | None = None

    @property
    def span(self) -> Span:
        check_order(self.since, self.until)
        return Span(self.since, self.until)


@history.get("/history")
def list_changes_of_product(product_id: int) -> Response:
    """Every change of the product's offers, of those that are gone, too."""
    query = read_query(OfferChangesQuery)
    position = position_of(query.cursor)
    with reading() as connection:
        page = service.of_product(connection, product_id, query.span, limit=query.limit, position=position)
    return _answer(page)


@history.get("/<id:offer_id>/history")
def list_changes_of_offer(product_id: int, offer_id: int) -> Response:
    """Every change of the offer; one that is gone still has its history."""
    query = read_query(OfferChangesQuery)
    position = position_of(query.cursor)
    with reading() as connection:
        page = service.of_offer(
            connection,
            product_id,
            offer_id,
            query.span,
            limit=query.limit,
            position=position,
        )
    return _answer(page)


def _answer(page: Page[Row[Any]]) -> Response:
    currency = current_app.config["CURRENCY"]
    return page_answer(page, [change_json(row, currency=currency) for row in page.rows])


def change_json(row: Row[Any], *, currency: str | None) -> dict[str, Any]:
    return {
        "product_id": row.product_id,
        "offer_id": row.offer_id,
        "source": "own" if row.remote_id is None else "external",
        "external_id": row.remote_id,
        "change": ChangeKind(row.kind).name.lower(),
        "price": row.price,
        "currency": currency,
        "items_in_stock": row.items_in_stock,
        "changed_at": time_json(row.changed_at),
    }
