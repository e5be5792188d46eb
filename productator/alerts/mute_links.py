"""Addresses by which a reader of a mail mutes a rule without a token: nobody can guess them."""

import hashlib
import hmac

_LENGTH = 32


def mute_path(rule_id: int, key: str) -> str:
    return f"/alerts/mute/{rule_id}/{_signature(rule_id, key)}"


def is_valid(rule_id: int, signature: str, key: str) -> bool:
    return hmac.compare_digest(signature.encode(), _signature(rule_id, key).encode())


def _signature(rule_id: int, key: str) -> str:
    return hmac.new(key.encode(), f"mute:{rule_id}".encode(), hashlib.sha256).hexdigest()[:_LENGTH]
