"""The scripts and styles of our pages."""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from mimetypes import guess_type

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound

from productator.api.conventions.conditional import tagged_file
from productator.api.conventions.page_routes import PageBlueprint

static = PageBlueprint("static_files", __name__)

_FILES = {"style.css", "pages.js", "icon.svg"}
_FOR_EVER = "public, max-age=31536000, immutable"  # pages name these files with a digest of their content


@cache
def static_text(name: str) -> str:
    return files("productator.web").joinpath("static", name).read_text(encoding="utf-8")


def static_url(name: str) -> str:
    return url_for("static_files.file", file=name, v=_digest(name))


@static.get("/static/<string:file>")
def file(file: str) -> Response:
    """Style, script and icon of all pages."""
    if file not in _FILES:
        raise NotFound
    content_type = f"{guess_type(file)[0]}; charset=utf-8"
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        response = tagged_file(static_text(file), content_type, cache_control=_FOR_EVER)
    else:
        response = tagged_file(_compressed(file), content_type, cache_control=_FOR_EVER)
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(static_text(name).encode(), mtime=0)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(static_text(name).encode()).hexdigest()[:12]
