"""The identity provider's public keys: read from its JWKS address (RFC 7517) and cached."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import jwt

from productator import outgoing
from productator.errors import CallFailed, KeysUnavailable

log = logging.getLogger(__name__)

# None with a shared secret: anybody who knows a public key could sign with it as the secret.
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS = {*_RSA, "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
KEPT_FOR = timedelta(minutes=10)
# While the provider is down its last keys stay valid, but not for long, in case one was withdrawn.
VALID_FOR = timedelta(hours=1)
# Invented key ids cause no more requests than one in this time.
PAUSE = timedelta(seconds=10)
_TIMEOUT_S = 3.0
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Key:
    material: Any
    algorithms: tuple[str, ...]


class KeySet:
    """The key set of a process; its threads share it."""

    def __init__(self, address: str, *, ca_file: str | None = None) -> None:
        """`ca_file`: the authorities that certificates are checked against; None: those of `certifi`."""
        self._address = address
        self._ca_file = ca_file
        self._lock = Lock()
        self._keys: dict[str, Key] = {}
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None

    def find(self, key_id: str, *, now: datetime) -> Key | None:
        """The key of this id; None: there is none. Raises KeysUnavailable when that is unknown."""
        with self._lock:
            is_old = self._read_at is None or now - self._read_at >= KEPT_FOR
            if (is_old or key_id not in self._keys) and self._may_try(now):
                self._read(now)
            if self._read_at is None or now - self._read_at > VALID_FOR:
                raise KeysUnavailable
            found = self._keys.get(key_id)
            if found is None and self._tried_at != self._read_at:  # the last try failed
                raise KeysUnavailable
            return found

    def _may_try(self, now: datetime) -> bool:
        return self._tried_at is None or now - self._tried_at >= PAUSE

    def _read(self, now: datetime) -> None:
        self._tried_at = now
        try:
            document = outgoing.read(
                self._address, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES, ca_file=self._ca_file
            )
            self._keys = _usable(json.loads(document))
        except (CallFailed, ValueError, RecursionError) as error:
            log.warning("the identity provider's keys were not read", extra={"error": str(error)})
        else:
            self._read_at = now


def _usable(document: Any) -> dict[str, Key]:
    """The signing keys that we support; a provider may publish others beside them."""
    try:
        found = [(each["kid"], _key(each)) for each in document["keys"] if each.get("use", "sig") == "sig"]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("answered with no JSON Web Key Set") from error
    return {key_id: key for key_id, key in found if key and isinstance(key_id, str)}


def _key(entry: dict[str, Any]) -> Key | None:
    try:
        key = jwt.PyJWK(entry)
    except jwt.PyJWTError:
        return None
    is_any_rsa = "alg" not in entry and key.key_type == "RSA"
    algorithms = _RSA if is_any_rsa else (key.algorithm_name,)
    return Key(key.key, algorithms) if _ALGORITHMS.issuperset(algorithms) else None
