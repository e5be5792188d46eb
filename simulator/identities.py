"""Access tokens, and the products that each identity has registered."""

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Iterable

from simulator.listings import encoded

# Nobody checks the signature, but a JWT has three parts.
_SIGNING_KEY = b"offers simulator"


class Identity:
    """The registrations of one client, invisible to all others."""

    def __init__(self) -> None:
        self.products: set[str] = set()

    def forget(self, products: Iterable[str] | None) -> int:
        lost = set(self.products if products is None else self.products.intersection(products))
        self.products -= lost
        return len(lost)


class Generation1Tokens:
    """Generation 1: every call of /auth makes a new identity, known by its token only."""

    def __init__(self) -> None:
        self._by_token: dict[str, Identity] = {}

    def issue(self) -> str:
        token = str(uuid.uuid4())
        self._by_token[token] = Identity()
        return token

    def identity(self, access_token: str | None) -> Identity | None:
        return None if access_token is None else self._by_token.get(access_token)

    def all(self) -> list[Identity]:
        return list(self._by_token.values())

    def expire(self) -> int:
        """Removes the identities with their tokens: nobody can see their products again."""
        expired = len(self._by_token)
        self._by_token.clear()
        return expired


class Generation2Tokens:
    """Generation 2: one refresh token, one identity, and at most one valid access token."""

    def __init__(self, *, refresh_token: str, lifetime_s: int) -> None:
        self._refresh_token = refresh_token
        self._lifetime_s = lifetime_s
        self._identity = Identity()
        self._access_token = ""
        self._expires = 0

    def knows(self, refresh_token: str) -> bool:
        return refresh_token.lower() == self._refresh_token.lower()

    def has_valid_access_token(self) -> bool:
        return time.time() < self._expires

    def issue(self) -> str:
        self._expires = int(time.time()) + self._lifetime_s
        self._access_token = _jwt({"token": str(uuid.uuid4()), "expires": self._expires})
        return self._access_token

    def identity(self, access_token: str | None) -> Identity | None:
        valid = access_token == self._access_token and self.has_valid_access_token()
        return self._identity if valid else None

    def all(self) -> list[Identity]:
        return [self._identity]

    def expire(self) -> int:
        expired = int(self.has_valid_access_token())
        self._expires = 0
        return expired


def _jwt(payload: dict[str, str | int]) -> str:
    header = _base64url(encoded({"alg": "HS256", "typ": "JWT"}))
    signed = f"{header}.{_base64url(encoded(payload))}"
    return f"{signed}.{_base64url(hmac.digest(_SIGNING_KEY, signed.encode(), hashlib.sha256))}"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
