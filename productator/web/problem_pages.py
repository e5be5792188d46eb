"""The pages that the `type` of a problem leads to: its meaning, and advice."""

import base64
import hashlib
import re

from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape
from werkzeug.exceptions import NotFound

from productator.api.conventions.conditional import ASK_EACH_TIME, tagged_file
from productator.api.conventions.problem_types import PATH, PROBLEM_TYPES
from productator.web.static_files import static_text

problem_pages = Blueprint("problem_pages", __name__, template_folder="templates")


@problem_pages.get(PATH)
def list_problems() -> Response:
    """All types of problems that the API answers, each with a link to its page."""
    return _page("problems.html", problem_types=PROBLEM_TYPES.values())


@problem_pages.get(f"{PATH}/<string:kind>")
def describe_problem(kind: str) -> Response:
    """The meaning of a problem type, and what a client should do."""
    if kind not in PROBLEM_TYPES:
        raise NotFound
    return _page("problem.html", problem_type=PROBLEM_TYPES[kind])


def _page(template: str, **values: object) -> Response:
    html = plain_html(template, **values)
    response = tagged_file(html, "text/html; charset=utf-8", cache_control=ASK_EACH_TIME)
    response.headers["Content-Security-Policy"] = plain_policy(form_action="'none'")
    return response


def plain_html(template: str, **values: object) -> str:
    """Of a page that needs no other file of ours: it is there when the pages for people are turned off."""
    style = Markup(static_text("problems.css"))  # noqa: S704 - a file of ours
    return render_template(template, style=style, **values)


def plain_policy(*, form_action: str) -> str:
    """It allows the page's one style by its digest, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(static_text("problems.css").encode()).digest()).decode()
    return (
        f"default-src 'none'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none';"
        f" style-src 'sha256-{digest}'"
    )


@problem_pages.app_template_filter()
def with_code(text: str) -> Markup:
    """HTML of a text of the table, which has code between backticks."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
