"""The identity provider: the callers of its JSON Web Tokens, if they are issued for us and valid now."""

from datetime import datetime
from typing import Any

import jwt

from productator.access.jwt_keys import KeySet
from productator.domain import Caller, scopes_in

# Clocks differ.
_LEEWAY_S = 30
_REQUIRED = ["exp", "iss", "aud", "sub"]
# The subject names the caller in every log line, so its length is limited.
_MAX_SUBJECT = 255


class IdentityProvider:
    def __init__(self, *, issuer: str, audience: str, keys: KeySet) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def caller_of(self, token: str, *, now: datetime) -> Caller | None:
        """None: the token is not valid. Raises KeysUnavailable when it cannot be checked."""
        try:
            claims = self._claims(token, now)
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
            return None
        subject = claims.get("sub", "")
        if not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
            return None
        return Caller(f"jwt:{self._issuer}|{subject}", scopes_in(_stated_scopes(claims)))

    def _claims(self, token: str, now: datetime) -> dict[str, Any]:
        """The verified claims; addresses and keys in the token itself (jku, jwk, x5u) are ignored."""
        key_id = jwt.get_unverified_header(token).get("kid")
        key = self._keys.find(key_id, now=now) if key_id else None
        if key is None:
            raise jwt.InvalidKeyError
        return jwt.decode(
            token,
            key.material,
            algorithms=key.algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_LEEWAY_S,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )


def _stated_scopes(claims: dict[str, Any]) -> str:
    """The text of `scope` (RFC 8693), or of `scp`, which some providers use, as a text or a list."""
    stated = claims.get("scope", claims.get("scp", ""))
    return " ".join(map(str, stated)) if isinstance(stated, list) else str(stated)
