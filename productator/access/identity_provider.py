"""Who a JSON Web Token is about, if it is one of the identity provider's, made for us, and good now."""

from datetime import datetime
from typing import Any

import jwt

from productator.access.jwt_keys import KeySet
from productator.domain import Caller, scopes_in

# Clocks differ.
_LEEWAY_S = 30
_REQUIRED = ["exp", "iss", "aud", "sub"]
# What stands in every line of the log, and names the caller, is kept within bounds.
_MAX_SUBJECT = 255


class IdentityProvider:
    def __init__(self, *, issuer: str, audience: str, keys: KeySet) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    def holder_of(self, token: str, *, now: datetime) -> Caller | None:
        """None: the token is not good. Raises KeysUnavailable when that cannot be known."""
        try:
            claims = self._claims(token, now)
        except (jwt.PyJWTError, ValueError, OverflowError):
            return None
        subject = claims.get("sub", "")
        if not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
            return None
        return Caller(f"jwt:{self._issuer}|{subject}", scopes_in(_words(claims)))

    def _claims(self, token: str, now: datetime) -> dict[str, Any]:
        """Addresses and keys that the token itself brings (jku, jwk, x5u) are not looked at."""
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


def _words(claims: dict[str, Any]) -> str:
    """`scope` is a text of words (RFC 8693); `scp` is what others call it, as a text or a list."""
    stated = claims.get("scope", claims.get("scp", ""))
    return " ".join(map(str, stated)) if isinstance(stated, list) else str(stated)
