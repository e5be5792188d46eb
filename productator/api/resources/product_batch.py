"""Many products in one request: each item is created or refused on its own."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from flask import Response

from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import product_tag
from productator.api.conventions.parsing import checked, read_body
from productator.api.conventions.problems import item_problem
from productator.api.conventions.responses import json_response
from productator.api.schemas.answers import BatchAnswerJson, BatchCreatedJson, BatchRefusedJson, product_json
from productator.api.schemas.bodies import ProductBatch
from productator.catalogue.products import ProductRow
from productator.catalogue.validation import ProductIn
from productator.domain import NewProduct
from productator.errors import InvalidInput

# A product has two fields, so an item with a thousand others hears of the first ones only.
_ERRORS_AN_ITEM = 20
Item = NewProduct | InvalidInput


def read_items() -> list[Item]:
    return [_item(position, value) for position, value in enumerate(read_body(ProductBatch).items)]


def _item(position: int, value: object) -> Item:
    try:
        item = checked(ProductIn, value, within=("items", position), most_errors=_ERRORS_AN_ITEM)
        return item.new_product()
    except InvalidInput as error:
        return InvalidInput(error.errors[:_ERRORS_AN_ITEM])


def valid(items: Iterable[Item]) -> list[NewProduct]:
    return [item for item in items if isinstance(item, NewProduct)]


def batch_response(items: Sequence[Item], created: Sequence[ProductRow]) -> Response:
    """The outcome of each item; `created` are the products of the valid ones, in their order."""
    rows = iter(created)
    body: BatchAnswerJson = {
        "items": [
            _refused(item) if isinstance(item, InvalidInput) else _created(next(rows)) for item in items
        ],
        "created": len(created),
        "failed": len(items) - len(created),
    }
    return json_response(body, HTTPStatus.MULTI_STATUS)


def _created(product: ProductRow) -> BatchCreatedJson:
    return {
        "status": 201,
        "location": address_of("products.get_product", product_id=product.id),
        "etag": f'"{product_tag(product)}"',
        "product": product_json(product),
    }


def _refused(error: InvalidInput) -> BatchRefusedJson:
    return {"status": 422, "problem": item_problem(error)}
