"""The route of the OpenAPI document."""

import json

from flask import Blueprint, Response, current_app

from productator.api.conventions.conditional import ASK_EACH_TIME, tagged_file
from productator.api.openapi import document

openapi_document = Blueprint("openapi_document", __name__)

_EXTENSION = "productator-openapi"


@openapi_document.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 document of this API."""
    return tagged_file(_document(), "application/json", cache_control=ASK_EACH_TIME)


def _document() -> str:
    """The first request builds it, when all routes are known."""
    if _EXTENSION not in current_app.extensions:
        built = document.build(current_app)
        current_app.extensions[_EXTENSION] = json.dumps(built, ensure_ascii=False)
    text: str = current_app.extensions[_EXTENSION]
    return text
