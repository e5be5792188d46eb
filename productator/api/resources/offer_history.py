"""Routes of the changes of offers, oldest first, in pages."""

from typing import Annotated

from flask import Blueprint, Response, current_app
from pydantic import Field

from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.parsing import read_query
from productator.api.conventions.time_ranges import Moment, wrong_order
from productator.api.schemas.price_json import change_json
from productator.api.schemas.queries import Cursor, Limit, Query
from productator.catalogue.validation import Location
from productator.database.keyset import Page
from productator.database.web import reading
from productator.prices import offer_history
from productator.prices.offer_history import RecordedChange, Span

history = Blueprint("history", __name__, url_prefix="/api/v1/products/<id:product_id>/offers")


class OfferChangesQuery(Query):
    since: Annotated[Moment | None, Field(alias="from", description="RFC 3339.")] = None
    until: Annotated[Moment | None, Field(alias="to", description="RFC 3339, exclusive.")] = None
    limit: Limit = 50
    cursor: Cursor | None = None

    def contradictions(self) -> list[tuple[Location, str]]:
        return wrong_order(self.since, self.until)

    @property
    def span(self) -> Span:
        return Span(self.since, self.until)


@history.get("/history")
def list_changes_of_product(product_id: int) -> Response:
    """Every change of the product's offers, removed ones included."""
    query = read_query(OfferChangesQuery)
    position = position_of(query.cursor, offer_history.ORDER)
    with reading() as connection:
        page = offer_history.of_product(
            connection, product_id, query.span, limit=query.limit, position=position
        )
    return _answer(page)


@history.get("/<id:offer_id>/history")
def list_changes_of_offer(product_id: int, offer_id: int) -> Response:
    """Every change of the offer; a removed offer keeps its history."""
    query = read_query(OfferChangesQuery)
    position = position_of(query.cursor, offer_history.ORDER)
    with reading() as connection:
        page = offer_history.of_offer(
            connection,
            product_id,
            offer_id,
            query.span,
            limit=query.limit,
            position=position,
        )
    return _answer(page)


def _answer(page: Page[RecordedChange]) -> Response:
    currency = current_app.config["CURRENCY"]
    return page_answer(page, [change_json(change, currency=currency) for change in page.rows])
