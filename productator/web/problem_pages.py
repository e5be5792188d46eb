"""Where the `type` of a problem leads: a page that says what it means and what to do."""

import base64
import hashlib
import re
from html import escape

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from productator.api.conventions.problem_types import KINDS, PATH, Kind
from productator.web.docs import ASK_EACH_TIME, served

problem_pages = Blueprint("problem_pages", __name__)

_STYLE = """body { max-width: 42em; margin: 2em auto; padding: 0 1em; font: 1.05em/1.5 sans-serif }
h1 { line-height: 1.2 }
code { overflow-wrap: anywhere }
td { padding: .2em 1em .2em 0; vertical-align: top }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } a { color: #8bf } }
"""
# The one style above is allowed by its digest, and nothing else is.
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""
# Relative addresses: they hold behind a proxy that puts a path before ours.
_KIND = """<p>Type <code>{type}</code>, status {status} {phrase}</p>
<h2>What it means</h2>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<h2>A <code>detail</code> of it</h2>
<p>{example}</p>
<p><a href="../problems">All problems</a></p>
"""
_ROW = '<tr><td>{status}</td><td><a href="problems/{name}">{title}</a></td></tr>\n'


@problem_pages.get(PATH)
def list_problems() -> Response:
    """All kinds of problems that the API answers, each with its page."""
    rows = "".join(
        _ROW.format(status=int(kind.status), name=kind.name, title=_html(kind.title))
        for kind in KINDS.values()
    )
    return _page("Problems", f"<table>\n{rows}</table>")


@problem_pages.get(f"{PATH}/<string:kind>")
def describe_problem(kind: str) -> Response:
    """What a kind of problem means, and what a client should do about it."""
    if kind not in KINDS:
        raise NotFound
    return _page(KINDS[kind].title, _described(KINDS[kind]))


def _described(kind: Kind) -> str:
    return _KIND.format(
        type=kind.type,
        status=int(kind.status),
        phrase=kind.status.phrase,
        meaning=_html(kind.meaning),
        advice=_html(kind.advice),
        example=_html(kind.example),
    )


def _page(title: str, content: str) -> Response:
    page = _PAGE.format(title=_html(title), style=_STYLE, content=content)
    response = served(page, "text/html; charset=utf-8", kept=ASK_EACH_TIME)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _html(text: str) -> str:
    """The text of the table, in which `code` stands between backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
