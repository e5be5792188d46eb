"""The page of tokens, for administrators: list, create, revoke."""

from datetime import datetime, timedelta
from http import HTTPStatus

from flask import Response, request
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from productator.access import api_tokens
from productator.api.conventions.cursors import next_url_of, position_of
from productator.api.conventions.idempotency import once_for
from productator.api.schemas.bodies import TokenName
from productator.database.web import reading, transaction
from productator.domain import Scope, utc_now
from productator.web.form_keys import keyed_form
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, require_admin, see
from productator.web.parsing import Form, wrong_in_form

token_pages = page_blueprint("token_pages")
token_pages.before_request(require_admin)

_NAME: TypeAdapter[str] = TypeAdapter(TokenName)
_SCOPES = {
    Scope.READ: "read: look at everything",
    Scope.WRITE: "write: change products and own offers, too",
    Scope.ADMIN: "admin: manage tokens, too",
}
_A_PAGE = 50
# Days until a token expires; 0: never.
_EXPIRIES = {"7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "365": "in a year", "0": "never"}
_DONE = {
    "made-before": "This form was sent before, and had created the token. Nothing was created again. If"
    " you have not copied its secret, revoke it and create another one.",
    "revoked": "The token was revoked.",
}


@token_pages.get("/tokens")
def show() -> Response:
    """All tokens, and a form for a new one."""
    return _shown(Form({"scope": Scope.READ, "expires": "90"}))


@token_pages.post("/tokens")
def create() -> Response:
    """Creates a token once; this answer alone shows its secret."""
    check_form()
    form = Form.sent()
    try:
        name = _NAME.validate_python(form.get("name").strip())
    except ValidationError as error:
        form.errors["name"] = wrong_in_form(error)[0][1]
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    scope, expires = form.get("scope"), form.get("expires")
    if scope not in set(Scope) or expires not in _EXPIRIES:
        return _shown(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    made, secret = None, None

    def work(session: Session) -> Response:
        nonlocal made, secret
        now = utc_now()
        token, secret = api_tokens.create(
            session, name=name, scopes=[Scope(scope)], expires_at=_expiry(expires, now=now), now=now
        )
        made = token.id
        return see("token_pages.show", done="made-before")

    answer = once_for(keyed_form(), work)
    if secret is None:
        return answer
    response = _shown(Form({"scope": Scope.READ, "expires": "90"}), made=made, secret=secret)
    response.headers["Cache-Control"] = "no-store"
    return response


@token_pages.get("/tokens/<id:token_id>/revoke")
def confirm_revocation(token_id: int) -> Response:
    """Asks before the token is revoked."""
    with reading() as connection:
        return page("token_revoke.html", token=api_tokens.get(connection, token_id))


@token_pages.post("/tokens/<id:token_id>/revoke")
def revoke(token_id: int) -> Response:
    """Revokes the token, and ends its sessions."""
    check_form()
    with transaction() as session:
        api_tokens.revoke(session, token_id, now=utc_now())
    return see("token_pages.show", done="revoked")


def _shown(
    form: Form, *, status: int = HTTPStatus.OK, made: int | None = None, secret: str | None = None
) -> Response:
    cursor = request.args.get("cursor") if request.method == "GET" else None
    position = position_of(cursor, api_tokens.BY_ID)
    with reading() as connection:
        found = api_tokens.page(connection, limit=_A_PAGE, position=position)
    now = utc_now()
    return page(
        "tokens.html",
        status=status,
        tokens=[(each, api_tokens.state(each, now=now)) for each in found.rows],
        next_url=_next_url(found.position) if request.method == "GET" else None,
        form=form,
        scopes=_SCOPES,
        expiries=_EXPIRIES,
        made=made,
        secret=secret,
        done=_DONE.get(request.args.get("done", "")),
    )


def _next_url(position: list[int | str] | None) -> str | None:
    return None if position is None else next_url_of(position)


def _expiry(days: str, *, now: datetime) -> datetime | None:
    return now + timedelta(days=int(days)) if days != "0" else None
