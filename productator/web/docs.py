"""The OpenAPI document, and Swagger UI to read and try it; nothing here asks another host."""

from functools import cache
from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, Response, current_app, json
from werkzeug.exceptions import NotFound

from productator.api.conventions.conditional import tagged_content
from productator.api.openapi import document

docs = Blueprint("docs", __name__)

_EXTENSION = "productator-openapi"
# Only Swagger UI's files are taken from this package: its blueprint writes scripts into the page.
_PACKAGE = "flask_swagger_ui"
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_FOR_EVER = "public, max-age=31536000, immutable"  # the page names them with their version
ASK_EACH_TIME = "no-cache"
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
# Relative addresses: they hold behind a proxy that puts a path before ours.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Productator's API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png?{version}">
<link rel="stylesheet" href="docs/swagger-ui.css?{version}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js?{version}"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Without the validator, Swagger UI would show the document to another host.
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


@docs.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 document of this API."""
    return served(_document(), "application/json", kept=ASK_EACH_TIME)


@docs.get("/docs")
def page() -> Response:
    """Swagger UI, which reads the document and can send requests."""
    response = served(_PAGE.format(version=version(_PACKAGE)), "text/html; charset=utf-8", kept=ASK_EACH_TIME)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@docs.get("/docs/<string:file>")
def file(file: str) -> Response:
    """The script, style and icon of the page."""
    if file == "start.js":
        return served(_START, "text/javascript; charset=utf-8", kept=ASK_EACH_TIME)
    if file not in _FILES:
        raise NotFound
    return served(_content(file), _FILES[file], kept=_FOR_EVER)


def served(content: str | bytes, content_type: str, *, kept: str) -> Response:
    response = tagged_content(current_app.response_class(content, content_type=content_type))
    response.headers["Cache-Control"] = kept
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _document() -> str:
    """Built by the first request, when all routes are known."""
    if _EXTENSION not in current_app.extensions:
        described = document.build(current_app)
        current_app.extensions[_EXTENSION] = json.dumps(described, ensure_ascii=False, sort_keys=False)
    text: str = current_app.extensions[_EXTENSION]
    return text


@cache
def _content(file: str) -> bytes:
    return files(_PACKAGE).joinpath("dist", file).read_bytes()
