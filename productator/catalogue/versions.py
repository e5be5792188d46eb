"""Changing a row that others may change at the same time."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from productator.errors import StaleVersion
from productator.models import Offer, Product

# The versions that a writer agrees to change; None: any.
Expected = frozenset[int] | None


def check(row: Product | Offer, expected: Expected) -> None:
    if expected is not None and row.version not in expected:
        raise StaleVersion(row.version)


def apply(session: Session, row: Product | Offer, changes: Mapping[str, str | int], *, now: datetime) -> None:
    """Sets the named fields. If none differs, version and time stay as they are."""
    if all(getattr(row, field) == value for field, value in changes.items()):
        return
    for field, value in changes.items():
        setattr(row, field, value)
    row.updated_at = now
    # One UPDATE compares the version and raises it: see `version_id_col` of the models.
    session.flush()
