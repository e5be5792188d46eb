"""Swagger UI, where people read the OpenAPI document and try requests; it loads nothing from other hosts."""

from functools import cache
from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, Response, current_app, render_template
from werkzeug.exceptions import NotFound

from productator.api.conventions.conditional import ASK_EACH_TIME, tagged_file
from productator.web.static_files import static_text

docs = Blueprint("docs", __name__, template_folder="templates")

# Only Swagger UI's files come from this package: its blueprint writes scripts into the page.
_PACKAGE = "flask_swagger_ui"
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_FOR_EVER = "public, max-age=31536000, immutable"  # the page names these files with their version
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@docs.get("/docs")
def page() -> Response:
    """Swagger UI, which reads the document and can send requests."""
    html = render_template(
        "docs.html",
        version=version(_PACKAGE),
        has_pages="product_list.show" in current_app.view_functions,
    )
    response = tagged_file(html, "text/html; charset=utf-8", cache_control=ASK_EACH_TIME)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@docs.get("/docs/<string:file>")
def file(file: str) -> Response:
    """The script, style and icon of the page."""
    if file == "start.js":
        script = static_text("start.js")
        return tagged_file(script, "text/javascript; charset=utf-8", cache_control=ASK_EACH_TIME)
    if file not in _FILES:
        raise NotFound
    return tagged_file(_content(file), _FILES[file], cache_control=_FOR_EVER)


@cache
def _content(file: str) -> bytes:
    return files(_PACKAGE).joinpath("dist", file).read_bytes()
