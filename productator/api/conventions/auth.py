"""Access control: who asks, and whether they may.

A token that is sent has to be good, also where none is needed: who sends a wrong one wants to know.
What is not under /api/ (probes, documentation) is open.
"""

import hmac
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from flask import Flask, Response, after_this_request, current_app, g, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import Rule

from productator.access import api_tokens
from productator.access.identity_provider import IdentityProvider
from productator.database.web import reader, reading, retried
from productator.domain import Caller, Scope, scopes_in, utc_now
from productator.errors import ScopeMissing, TokenInvalid, TokenRequired

log = logging.getLogger(__name__)

_EXTENSION = "productator-auth"
_PROTECTED = "/api/"
_BEARER = re.compile("bearer +([!-~]+)", re.IGNORECASE)
_DOTS_OF_A_JWT = 2
_READING = {"GET", "HEAD"}
# For each PRODUCTATOR_AUTH, the scopes that have to be shown; "off" asks nobody.
_ASKED_FOR = {"write": {Scope.WRITE}, "all": {Scope.READ, Scope.WRITE}}


@dataclass(frozen=True)
class _Gate:
    asked_for: set[Scope]
    # The digest of PRODUCTATOR_ADMIN_TOKEN.
    admin: str | None = field(repr=False)
    provider: IdentityProvider | None


def init_app(app: Flask, *, mode: str, admin_token: str | None, provider: IdentityProvider | None) -> None:
    if mode == "off":
        return
    admin = None if admin_token is None else api_tokens.digest(admin_token)
    app.extensions[_EXTENSION] = _Gate(_ASKED_FOR[mode], admin, provider)
    app.before_request(_admit)


def caller() -> str:
    """A name of the request's caller that stays the same; empty: they have not said who they are."""
    found: Caller | None = g.get("caller")
    return found.name if found else ""


def is_protected(rule: Rule) -> bool:
    return rule.rule.startswith(_PROTECTED)


def scope_of(method: str) -> Scope | None:
    """What the method does to the API's data; None: nothing, it asks for the methods."""
    if method == "OPTIONS":
        return None
    return Scope.READ if method in _READING else Scope.WRITE


def _admit() -> None:
    # What the router refuses stays refused as it is; the body has not been read yet.
    if request.url_rule is None or not is_protected(request.url_rule):
        return
    gate: _Gate = current_app.extensions[_EXTENSION]
    needed = scope_of(request.method)
    g.caller = _presented(gate)
    if needed not in gate.asked_for or (g.caller and g.caller.may(needed)):
        return
    raise ScopeMissing(needed) if g.caller else TokenRequired


def _presented(gate: _Gate) -> Caller | None:
    """Who the request says it is from; raises TokenInvalid when that is not true."""
    if "Authorization" not in request.headers:
        return None
    bearer = _BEARER.fullmatch(request.headers["Authorization"])
    found = _holder_of(bearer[1], gate) if bearer else None
    if found is None:
        raise TokenInvalid
    structlog.contextvars.bind_contextvars(caller=found.name)
    return found


def _holder_of(secret: str, gate: _Gate) -> Caller | None:
    if gate.admin and hmac.compare_digest(api_tokens.digest(secret), gate.admin):
        return Caller("admin", frozenset({Scope.ADMIN}))
    if gate.provider and secret.count(".") == _DOTS_OF_A_JWT:  # a token of ours has none
        return gate.provider.holder_of(secret, now=utc_now())
    return _holder_of_stored(secret, now=utc_now())


@retried
def _holder_of_stored(secret: str, *, now: datetime) -> Caller | None:
    with reading() as connection:
        token = api_tokens.find(connection, secret, now=now)
    if token is None:
        return None
    if api_tokens.is_use_to_note(token, now=now):
        after_this_request(_noting(token.id, now))
    return Caller(f"token:{token.id}", scopes_in(token.scopes))


def _noting(token_id: int, now: datetime) -> Callable[[Response], Response]:
    engine = reader()

    def note_later(response: Response) -> Response:
        # When the answer has been sent, so that nobody waits for it.
        response.call_on_close(lambda: _note(engine, token_id, now))
        return response

    return note_later


def _note(engine: Engine, token_id: int, now: datetime) -> None:
    try:
        with engine.connect() as connection:
            api_tokens.note_use(connection, token_id, now=now)
    except SQLAlchemyError as error:
        log.warning("the use of a token was not noted", extra={"error": str(error.__cause__ or error)})
