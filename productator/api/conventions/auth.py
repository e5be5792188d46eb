"""Access control: authenticates the caller of a request, and checks its scopes.

A token that is sent must be valid even where none is needed, so that a caller learns that it is not.
Everything outside /api/ but the metrics (probes, documentation) is open.
"""

import hmac
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from flask import Flask, Response, after_this_request, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import Rule

from productator.access import api_tokens
from productator.access.identity_provider import IdentityProvider
from productator.database.failures import reason
from productator.database.kept import KeptConnections
from productator.database.web import readers, reading, retried
from productator.domain import Caller, Scope, scopes_in, utc_now
from productator.errors import ScopeMissing, TokenInvalid, TokenRequired

log = logging.getLogger(__name__)

_EXTENSION = "productator-auth"
PROTECTED = "/api/"
_METRICS = "/metrics"
# uWSGI passes on what surrounds the value of a header.
_BEARER = re.compile("[ \t]*bearer +([!-~]+)[ \t]*", re.IGNORECASE)
_DOTS_OF_A_JWT = 2
_READING = {"GET", "HEAD"}
# For each PRODUCTATOR_AUTH, the scopes that need a token; "off" needs none.
_PROTECTED_SCOPES = {"write": {Scope.WRITE, Scope.ADMIN}, "all": set(Scope)}
# What needs the scope `admin`, reading included.
_ADMINS_ONLY = ("/api/v1/tokens", "/api/v1/channels", "/api/v1/deliveries")


@dataclass(frozen=True)
class AccessRules:
    """What the settings say about access."""

    protected_scopes: set[Scope]
    # The digest of PRODUCTATOR_ADMIN_TOKEN.
    admin: str | None = field(repr=False)
    provider: IdentityProvider | None

    def is_admin(self, secret: str) -> bool:
        """Whether it is the admin token of the settings."""
        return self.admin is not None and hmac.compare_digest(api_tokens.digest(secret), self.admin)


def init_app(app: Flask, *, mode: str, admin_token: str | None, provider: IdentityProvider | None) -> None:
    if mode == "off":
        return
    admin = None if admin_token is None else api_tokens.digest(admin_token)
    app.extensions[_EXTENSION] = AccessRules(_PROTECTED_SCOPES[mode], admin, provider)
    app.before_request(_authorize)


def rules() -> AccessRules | None:
    """None: access control is off."""
    return current_app.extensions.get(_EXTENSION)


def caller() -> str:
    """The constant name of the request's caller; empty: the request has no token."""
    found: Caller | None = g.get("caller")
    return found.name if found else ""


def is_protected(rule: Rule) -> bool:
    return rule.rule.startswith(PROTECTED) or rule.rule == _METRICS


def scope_of(rule: Rule, method: str) -> Scope | None:
    """The scope that a call needs; None: OPTIONS needs none."""
    if method == "OPTIONS":
        return None
    if rule.rule.startswith(_ADMINS_ONLY):
        return Scope.ADMIN
    return Scope.READ if method in _READING else Scope.WRITE


def _authorize() -> None:
    # The router's own refusals come first; nothing has read the body yet.
    rule = request.url_rule
    if rule is None or not is_protected(rule):
        return
    access: AccessRules = current_app.extensions[_EXTENSION]
    needed = scope_of(rule, request.method)
    g.caller = found = _authenticate(access)
    if needed not in access.protected_scopes or (found and found.may(needed)):
        return
    raise ScopeMissing(needed) if found else TokenRequired


def _authenticate(access: AccessRules) -> Caller | None:
    """The caller of the request; None: it has no token. Raises TokenInvalid."""
    # Werkzeug raises an error inside to find out that a header is missing.
    sent = request.environ.get("HTTP_AUTHORIZATION")
    if sent is None:
        return None
    bearer = _BEARER.fullmatch(sent)
    found = _caller_of(bearer[1], access) if bearer else None
    if found is None:
        raise TokenInvalid
    structlog.contextvars.bind_contextvars(caller=found.name)
    return found


def _caller_of(secret: str, access: AccessRules) -> Caller | None:
    if access.is_admin(secret):
        return Caller("admin", frozenset({Scope.ADMIN}))
    if access.provider and secret.count(".") == _DOTS_OF_A_JWT:  # our own tokens have no dots
        return access.provider.caller_of(secret, now=utc_now())
    return _caller_of_stored(secret, now=utc_now())


@retried
def _caller_of_stored(secret: str, *, now: datetime) -> Caller | None:
    with reading() as connection:
        token = api_tokens.find_valid(connection, secret, now=now)
    if token is None:
        return None
    g.api_token = token
    if api_tokens.is_use_due(token, now=now):
        after_this_request(_record_use_later(token.id, now))
    return Caller(f"token:{token.id}", scopes_in(token.scopes))


def _record_use_later(token_id: int, now: datetime) -> Callable[[Response], Response]:
    connections = readers()

    def record_when_sent(response: Response) -> Response:
        # After the answer is sent, so that the caller does not wait for it.
        response.call_on_close(lambda: _record_use(connections, token_id, now))
        return response

    return record_when_sent


def _record_use(connections: KeptConnections, token_id: int, now: datetime) -> None:
    try:
        with connections.connect() as connection:
            api_tokens.record_use(connection, token_id, now=now)
    except SQLAlchemyError as error:
        log.warning("the use of a token was not recorded", extra={"error": reason(error)})
