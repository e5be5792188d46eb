"""Sign-in with an API token, which becomes a session, and sign-out."""

import logging
import re
from http import HTTPStatus

from flask import Response, current_app, redirect, request

from productator.access import api_tokens, sessions
from productator.api.conventions import auth, rate_limits
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.web import cookies
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, see
from productator.web.viewer import current_viewer

log = logging.getLogger(__name__)

sign_in = page_blueprint("sign_in", is_open=True)

_MOST_CHARACTERS = 500
# A path on this host: `//` and `/\` would begin another host's address.
_OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")


@sign_in.get("/login")
def show() -> Response:
    """The form, or the way on for a viewer who needs none."""
    if auth.rules() is None or current_viewer().signed_in:
        return _go_on()
    return _shown()


@sign_in.post("/login")
def enter() -> Response:
    """Starts a session of the token, with a new id each time."""
    check_form()
    if auth.rules() is None:
        return _go_on()
    rate_limits.refuse_guesser()
    session_id = _start_session(request.form.get("token", "").strip())
    if session_id is None:
        rate_limits.count_wrong_token()
        log.warning("a sign-in failed")
        return _shown(is_wrong=True)
    response = _go_on()
    cookies.write(response, cookies.SESSION, session_id, kept_for=sessions.VALID_FOR)
    cookies.forget(response, cookies.FORM)
    return response


@sign_in.post("/logout")
def sign_out() -> Response:
    """Ends the session, here and in copies of its cookie."""
    check_form()
    if session_id := cookies.read(cookies.SESSION):
        with transaction() as session:
            sessions.end(session, session_id)
    response = see("sign_in.show")
    cookies.forget(response, cookies.SESSION)
    return response


def _start_session(secret: str) -> str | None:
    """None: the token is not valid."""
    rules, now = auth.rules(), utc_now()
    if rules is None or not 0 < len(secret) <= _MOST_CHARACTERS:
        return None
    admin = rules.admin if rules.is_admin(secret) else None
    token_id = None
    if admin is None:
        with reading() as connection:
            token = api_tokens.find_valid(connection, secret, now=now)
            if token is None:
                return None
            token_id = token.id
            api_tokens.record_use(connection, token_id, now=now)
    with transaction() as session:
        if before := cookies.read(cookies.SESSION):
            sessions.end(session, before)
        return sessions.start(session, token_id=token_id, admin=admin, now=now)


def _shown(*, is_wrong: bool = False) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK
    is_unsaved = bool(request.values.get("unsaved"))
    response = page("sign_in.html", status=status, is_wrong=is_wrong, is_unsaved=is_unsaved, next=_next())
    response.headers["Cache-Control"] = "no-store"
    return response


def _go_on() -> Response:
    """To the page that asked for the sign-in, else to the products."""
    target = _next()
    if not target:
        return see("product_list.show")
    return current_app.make_response(redirect(request.root_path.rstrip("/") + target, HTTPStatus.SEE_OTHER))


def _next() -> str:
    asked = request.values.get("next", "")
    return asked if _OWN_PATH.fullmatch(asked) else ""
