"""Who looks at a page, and what they may do: by their session, or by the token that a trusted proxy sends."""

import logging
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask import Response, after_this_request, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from productator.access import api_tokens, sessions
from productator.access.sessions import OpenSession
from productator.api.conventions import auth
from productator.database.failures import reason
from productator.database.web import readers, reading, retried
from productator.domain import Caller, Scope, scopes_in, utc_now
from productator.web import cookies

log = logging.getLogger(__name__)

# What everybody may do, by PRODUCTATOR_AUTH.
_EVERYBODY: dict[str, frozenset[Scope]] = {
    "off": frozenset(Scope),
    "write": frozenset({Scope.READ}),
    "all": frozenset(),
}


@dataclass(frozen=True)
class Viewer:
    signed_in: bool
    name: str
    scopes: frozenset[Scope]

    @property
    def may_read(self) -> bool:
        return bool(self.scopes)

    @property
    def may_write(self) -> bool:
        return bool(self.scopes & {Scope.WRITE, Scope.ADMIN})

    @property
    def may_admin(self) -> bool:
        return Scope.ADMIN in self.scopes


def current_viewer() -> Viewer:
    """The viewer of this request; without sign-in, everybody."""
    if "viewer" not in g:
        g.viewer = _viewer()
    viewer: Viewer = g.viewer
    return viewer


def everybody() -> Viewer:
    """A viewer without sign-in."""
    return Viewer(False, "", _EVERYBODY[current_app.config["AUTH"]])


def _viewer() -> Viewer:
    everyones = everybody().scopes
    rules = auth.rules()
    if rules is None:
        return everybody()
    now = utc_now()
    if (caller := _caller_at_proxy(rules, now)) is not None:
        structlog.contextvars.bind_contextvars(caller=caller.name)
        return Viewer(True, caller.name.rpartition("|")[2], caller.scopes | everyones)
    session_id = cookies.read(cookies.SESSION)
    found = _find_session(session_id, rules.admin, now=now) if session_id else None
    if session_id is None or found is None:
        return everybody()
    if sessions.is_use_due(found, now=now):
        _record_use_later(session_id, found, now)
    structlog.contextvars.bind_contextvars(
        caller="admin" if found.token_id is None else f"token:{found.token_id}"
    )
    if found.token_id is None:
        return Viewer(True, "admin", frozenset({Scope.ADMIN}))
    # A form notes its write in the token's row, so the token's own requests read from the primary afterwards.
    g.api_token = api_tokens.ValidToken(found.token_id, str(found.scopes), last_used_at=None, wrote_at=None)
    return Viewer(True, str(found.token_name), scopes_in(str(found.scopes)) | everyones)


def _caller_at_proxy(rules: auth.AccessRules, now: datetime) -> Caller | None:
    """Whom the identity provider's token names that a trusted proxy has added; None: there is none."""
    header = current_app.config["JWT_HEADER"]
    token = request.headers.get(header) if header else None
    return rules.provider.caller_of(token, now=now) if token and rules.provider else None


@retried
def _find_session(session_id: str, admin: str | None, *, now: datetime) -> OpenSession | None:
    with reading() as connection:
        return sessions.find(connection, session_id, admin=admin, now=now)


def _record_use_later(session_id: str, found: OpenSession, now: datetime) -> None:
    connections = readers()

    def record() -> None:
        try:
            with connections.connect() as connection:
                sessions.record_use(connection, session_id, now=now)
                if found.token_id is not None:
                    api_tokens.record_use(connection, found.token_id, now=now)
        except SQLAlchemyError as error:
            log.warning("the use of a session was not recorded", extra={"error": reason(error)})

    @after_this_request
    def record_when_sent(response: Response) -> Response:
        # After the answer is sent, so that the viewer does not wait for it.
        response.call_on_close(record)
        return response
