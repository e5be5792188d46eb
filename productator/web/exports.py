"""Downloads: the filtered list of products, and the history of one; streamed, whatever their length."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from typing import Any, TypeVar

from flask import Response, current_app, stream_with_context
from sqlalchemy import Connection

from productator.api.schemas.price_json import change_json
from productator.api.schemas.prices import OfferChangeJson
from productator.catalogue import overview, products
from productator.catalogue.overview import ListedProduct
from productator.database.keyset import Page, Position
from productator.database.web import database, reading
from productator.domain import time_json
from productator.prices import offer_history
from productator.prices.offer_history import RecordedChange, Span
from productator.transfer.writing import RowWriter, write_excel, write_jsonl
from productator.web import formats
from productator.web.pages import control_caches, page_blueprint
from productator.web.product_list import ProductListQuery
from productator.web.viewer import current_viewer

exports = page_blueprint("exports")

_ROWS_A_READ = 500
_LIST_COLUMNS = ("id", "name", "lowest_price", "change_percent", "offers_in_stock", "refreshed_at")

Item = TypeVar("Item")
Rows = list[Mapping[str, Any]]


@exports.get("/products.csv")
def products_csv() -> Response:
    """The list as it is filtered and sorted, for a spreadsheet."""
    asked = ProductListQuery.current()
    return _download(_listed(asked), write_excel, _LIST_COLUMNS, "products.csv")


@exports.get("/products/<id:product_id>/history.csv")
def history_csv(product_id: int) -> Response:
    """All recorded changes of a product's offers, oldest first, for a spreadsheet."""
    return _history(product_id, write_excel, "csv")


@exports.get("/products/<id:product_id>/history.jsonl")
def history_jsonl(product_id: int) -> Response:
    """The same as JSON Lines."""
    return _history(product_id, write_jsonl, "jsonl")


def _history(product_id: int, write: RowWriter, ending: str) -> Response:
    with reading() as connection:
        products.get(connection, product_id)
    columns = tuple(OfferChangeJson.__annotations__)
    return _download(_changes(product_id), write, columns, f"product-{product_id}-history.{ending}")


def _listed(asked: ProductListQuery) -> Iterator[Rows]:
    def read(connection: Connection, position: Position | None) -> Page[ListedProduct]:
        return overview.page(connection, asked.wanted, sort=asked.sort, limit=_ROWS_A_READ, position=position)

    return ([_row(each) for each in rows] for rows in _pages(read))


def _changes(product_id: int) -> Iterator[Rows]:
    def read(connection: Connection, position: Position | None) -> Page[RecordedChange]:
        return offer_history.of_product(connection, product_id, Span(), limit=_ROWS_A_READ, position=position)

    currency = current_app.config["CURRENCY"]
    return ([change_json(each, currency=currency) for each in rows] for rows in _pages(read))


def _pages(read: Callable[[Connection, Position | None], Page[Item]]) -> Iterator[Sequence[Item]]:
    """Each page has the database for itself, so that a slow client keeps no connection."""
    position: Position | None = None
    while True:
        database().use.begin_request()
        with reading() as connection:
            found = read(connection, position)
        yield found.rows
        position = found.position
        if position is None:
            return


def _row(product: ListedProduct) -> Mapping[str, Any]:
    change = product.change_permille
    return {
        "id": product.id,
        "name": product.name,
        "lowest_price": "" if product.lowest_price is None else formats.typed_price(product.lowest_price),
        "change_percent": "" if change is None else change / 10,
        "offers_in_stock": product.offers_in_stock,
        "refreshed_at": product.refreshed_at and time_json(product.refreshed_at),
    }


def _download(pages: Iterable[Rows], write: RowWriter, columns: tuple[str, ...], name: str) -> Response:
    has_header = write is write_excel
    content_type = "text/csv; charset=utf-8" if has_header else "application/jsonl"
    chunks = _chunks(pages, write, columns, has_header=has_header)
    # Read before the status is sent: a database that is away is no empty download.
    first = next(chunks)
    body = stream_with_context(chain([first], chunks))
    response = current_app.response_class(body, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    control_caches(response, current_viewer())
    return response


def _chunks(
    pages: Iterable[Rows], write: RowWriter, columns: tuple[str, ...], *, has_header: bool
) -> Iterator[bytes]:
    is_first = True
    for rows in pages:
        written = BytesIO()
        write(written, rows, columns)
        content = written.getvalue()
        # The writer begins with the names of the columns each time.
        yield content if is_first or not has_header else content.partition(b"\n")[2]
        is_first = False
