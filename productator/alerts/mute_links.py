"""Addresses by which a reader of a mail mutes a rule without a token: nobody can guess them."""

import hashlib
import hmac
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from productator.models import AlertRule

MUTED_FOR = timedelta(days=7)
_LENGTH = 32


def mute_path(rule_id: int, key: str) -> str:
    return f"/alerts/mute/{rule_id}/{_signature(rule_id, key)}"


def is_valid(rule_id: int, signature: str, key: str) -> bool:
    return hmac.compare_digest(signature.encode(), _signature(rule_id, key).encode())


def mute(session: Session, rule_id: int, *, now: datetime) -> bool:
    """Mutes it for a week, unless it is muted for longer. Whether there is such a rule."""
    rule = session.get(AlertRule, rule_id, with_for_update=True)
    if rule is None:
        return False
    until = now + MUTED_FOR
    if rule.muted_until is None or rule.muted_until < until:
        rule.muted_until, rule.updated_at = until, now
    session.flush()
    return True


def _signature(rule_id: int, key: str) -> str:
    return hmac.new(key.encode(), f"mute:{rule_id}".encode(), hashlib.sha256).hexdigest()[:_LENGTH]
