"""What all pages for people share: their blueprints, their frame and headers, and errors as pages."""

import re
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, abort, current_app, redirect, render_template, request, url_for
from jinja2 import Template
from sqlalchemy.exc import SQLAlchemyError

from productator.alerts import channels
from productator.alerts.sentences import isolated
from productator.api.conventions.conditional import ASK_EACH_TIME, tagged_content
from productator.api.conventions.page_routes import PageBlueprint
from productator.database.web import reading
from productator.domain import Scope
from productator.errors import ScopeMissing, TokenRequired
from productator.web import form_keys, formats, forms, static_files
from productator.web.charts.sparkline import sparkline
from productator.web.freshness import stale_after
from productator.web.parsing import Form
from productator.web.price_story import change_sentence
from productator.web.viewer import Viewer, current_viewer, everybody

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# The script asks for the changing part of a page alone: the block of this name.
PART = "X-Page-Part"
# In the order of the navigation: label, endpoint. An entry without its view is left out.
_NAVIGATION = (
    ("Products", "product_list.show"),
    ("Alerts", "alert_pages.show"),
    ("System", "system_page.show"),
    ("Tokens", "token_pages.show"),
)
_ADMINS_ONLY = {"token_pages.show"}
SIGN_IN = "sign_in.show"
_TIME_TEXT = re.compile("(<time [^>]*>)[^<]*")


def page_blueprint(name: str, *, is_open: bool = False) -> PageBlueprint:
    """Routes of pages; unless they are open, viewers who may not read are sent to the sign-in."""
    blueprint = PageBlueprint(name, __name__, template_folder="templates")
    if not is_open:
        blueprint.before_request(_require_reader)
    return blueprint


def init_app(app: Flask, blueprints: tuple[PageBlueprint, ...]) -> None:
    formats.init_app(app)
    app.jinja_env.filters |= {"sparkline": sparkline, "sentence": change_sentence, "isolated": isolated}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {
        "typed": lambda **values: Form(values),
        "form_token": forms.form_token,
        "form_key": form_keys.form_key,
        "stale_after_s": lambda: stale_after().total_seconds(),
        "static_url": static_files.static_url,
        "has_page": lambda endpoint: endpoint in current_app.view_functions,
    }
    for each in (*blueprints, static_files.static):
        app.register_blueprint(each)
    app.after_request(_problem_as_page)


def page(template: str, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page from a template that extends base.html; if the script asks for its block `live`, that alone."""
    viewer = values["viewer"] = values["viewer"] if "viewer" in values else current_viewer()
    values["navigation"] = _navigation(viewer)
    # The script follows the redirect to the sign-in when the session has ended.
    part = request.headers.get(PART) == "live" and "live" in _template(template).blocks
    if viewer.may_admin and not part and "disabled_channels" not in values:
        values["disabled_channels"] = _disabled_channels()
    html = _block(template, "live", values) if part else render_template(template, **values)
    response = current_app.response_class(html, status=status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    control_caches(response, viewer)
    response.vary.update((PART, "Accept-Language"))
    if part:
        # The age of a price is a text that changes every second; what it is the age of does not.
        identity = form_keys.without_keys(_TIME_TEXT.sub(r"\1", html))
        return tagged_content(response, identity=identity.encode())
    return response


def control_caches(response: Response, viewer: Viewer) -> None:
    """Keeps what a viewer may see from everybody else."""
    response.headers["Cache-Control"] = f"private, {ASK_EACH_TIME}" if viewer.signed_in else ASK_EACH_TIME
    response.vary.add("Cookie")


def see(endpoint: str, **values: Any) -> Response:
    """After a form: the browser shows that page, and showing it again sends nothing twice."""
    return current_app.make_response(redirect(url_for(endpoint, **values), HTTPStatus.SEE_OTHER))


def require_admin() -> Response | None:
    """Before views of administrators: sends viewers without a session to the sign-in."""
    viewer = current_viewer()
    if viewer.may_admin:
        return None
    if viewer.signed_in or SIGN_IN not in current_app.view_functions:
        raise ScopeMissing(Scope.ADMIN)
    return _sent_to_sign_in()


def require_writer() -> None:
    """For views that change something: checks the viewer, and the form where one was sent."""
    viewer = current_viewer()
    if not viewer.may_write:
        if viewer.signed_in:
            raise ScopeMissing(Scope.WRITE)
        if SIGN_IN not in current_app.view_functions:
            raise TokenRequired
        abort(_sent_to_sign_in())
    if request.method == "POST":
        forms.check_form()


def _require_reader() -> Response | None:
    viewer = current_viewer()
    if viewer.may_read:
        return None
    if viewer.signed_in or SIGN_IN not in current_app.view_functions:
        raise ScopeMissing(Scope.READ)
    return _sent_to_sign_in()


def _sent_to_sign_in() -> Response:
    """It leads back to the page that was asked for, or to that of the form, which it says was not saved."""
    if request.method != "POST":
        return see(SIGN_IN, next=request.full_path.rstrip("?"))
    return see(SIGN_IN, next=_page_of_form(), unsaved=1)


def _page_of_form() -> str | None:
    """The path of the page that sent this form; None: it is not known to be ours."""
    page_url, root = request.referrer or "", request.url_root
    is_ours = page_url.lower().startswith(root.lower())
    return f"/{page_url[len(root) :]}" if is_ours else None


def _navigation(viewer: Viewer) -> list[tuple[str, str, str]]:
    """Label, address, and how the page that is shown belongs to it."""
    shown = [
        (label, endpoint)
        for label, endpoint in _NAVIGATION
        if endpoint in current_app.view_functions and (endpoint not in _ADMINS_ONLY or viewer.may_admin)
    ]
    return [(label, url_for(endpoint), _place(endpoint)) for label, endpoint in shown]


def _place(endpoint: str) -> str:
    """The `aria-current` of the entry: the first word of a blueprint's name says where its pages belong."""
    if request.endpoint == endpoint:
        return "page"
    return "true" if (request.endpoint or "").startswith(f"{endpoint.partition('_')[0]}_") else ""


def _block(template: str, name: str, values: dict[str, Any]) -> str:
    found = _template(template)
    current_app.update_template_context(values)
    return "".join(found.blocks[name](found.new_context(values)))


def _template(name: str) -> Template:
    return current_app.jinja_env.get_template(name)


def _disabled_channels() -> list[str]:
    """They are told of on all pages: nobody looks for an alert that does not come."""
    with reading() as connection:
        return channels.disabled_names(connection)


def _problem_as_page(response: Response) -> Response:
    """A browser gets a page where the API's clients get problem+json, and the script, which needs no more."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.mimetype != "application/problem+json":
        return response
    if request.path.startswith("/api/"):
        return response
    is_for_people = PART not in request.headers and "text/html" in request.headers.get("Accept", "")
    shown = _page_of_problem(response) if is_for_people else response
    shown.vary.update(("Accept", PART))
    return shown


def _page_of_problem(response: Response) -> Response:
    status = response.status_code
    if status == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET":
        # The address of a form's action, which somebody has opened by hand.
        return current_app.make_response(redirect(request.root_path.rstrip("/") + _page_above()))
    shown = page(
        "error.html",
        status=status,
        problem=response.get_json(),
        viewer=_viewer_of_problem(status),
        may_sign_in=status < HTTPStatus.INTERNAL_SERVER_ERROR,
        # They are read from the database, which may be what failed.
        disabled_channels=(),
        # A form is not sent again, nor is its page loaded anew: what was typed would be lost.
        is_tried_again=status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET",
    )
    for name in ("Retry-After", "Allow", "X-Request-Id"):
        if name in response.headers:
            shown.headers[name] = response.headers[name]
    return shown


def _page_above() -> str:
    """The path of the nearest page above this address."""
    path, addresses = request.path, current_app.create_url_adapter(request)
    while addresses and (path := path.rpartition("/")[0]):
        if addresses.test(path, "GET"):
            return path
    return "/"


def _viewer_of_problem(status: int) -> Viewer:
    # Finding out who it is may be what failed, or what fails now.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return everybody()
    try:
        return current_viewer()
    except SQLAlchemyError:
        return everybody()
