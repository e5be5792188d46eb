"""Many products in one request: each is created or refused by itself, and told so at its place."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, url_for
from sqlalchemy import Row

from productator.api.conventions.conditional import product_tag
from productator.api.conventions.parsing import checked, read_body
from productator.api.conventions.problems import of_item
from productator.api.schemas import ProductBatch, json_response, product_json
from productator.catalogue.validation import ProductIn
from productator.domain import ProductDraft
from productator.errors import InvalidInput

# A product has two fields: who names a thousand others is told of the first of them.
_ERRORS_AN_ITEM = 20
Item = ProductDraft | InvalidInput


def read_items() -> list[Item]:
    return [_item(position, value) for position, value in enumerate(read_body(ProductBatch).items)]


def _item(position: int, value: object) -> Item:
    try:
        return checked(ProductIn, value, within=("items", position)).draft()
    except InvalidInput as refused:
        return InvalidInput(refused.errors[:_ERRORS_AN_ITEM])


def drafts(items: Sequence[Item]) -> list[ProductDraft]:
    return [item for item in items if isinstance(item, ProductDraft)]


def answer(items: Sequence[Item], created: Sequence[Row[Any]]) -> Response:
    """What became of each item; `created` are the rows of the valid ones, in their order."""
    rows = iter(created)
    answers = [_refused(item) if isinstance(item, InvalidInput) else _created(next(rows)) for item in items]
    counts = {"created": len(created), "failed": len(items) - len(created)}
    return json_response({"items": answers, **counts}, HTTPStatus.MULTI_STATUS)


def _created(product: Row[Any]) -> dict[str, Any]:
    return {
        "status": HTTPStatus.CREATED,
        "location": url_for("products.get_product", product_id=product.id, _external=True),
        "etag": f'"{product_tag(product)}"',
        "product": product_json(product),
    }


def _refused(error: InvalidInput) -> dict[str, Any]:
    problem = of_item(error)
    return {"status": problem["status"], "problem": problem}
