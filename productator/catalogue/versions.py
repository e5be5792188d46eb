"""Changing a row that others may change at the same time."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from productator.errors import StaleVersion, VersionExcluded, WeakTagSent


class Versioned(Protocol):
    """A row with a version, which each change raises."""

    @property
    def version(self) -> int: ...


class Changeable(Protocol):
    """A row of the ORM, whose mapper raises the version."""

    version: Any
    updated_at: Any


class _Every(Container[int]):
    """Contains every version."""

    def __contains__(self, version: object) -> bool:
        return True


EVERY = _Every()


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions that a writer agrees to change, and those that it does not."""

    allowed: Container[int] = EVERY
    excluded: Container[int] = frozenset()
    has_weak_tags: bool = False


ANY_VERSION = Expected()


def check(row: Versioned, expected: Expected) -> None:
    if row.version not in expected.allowed:
        raise WeakTagSent(row.version) if expected.has_weak_tags else StaleVersion(row.version)
    if row.version in expected.excluded:
        raise VersionExcluded(row.version)


def apply(session: Session, row: Changeable, changes: Mapping[str, Any], *, now: datetime) -> None:
    """Sets the named fields. If none differs, version and time stay as they are."""
    if all(getattr(row, field) == value for field, value in changes.items()):
        return
    for field, value in changes.items():
        setattr(row, field, value)
    row.updated_at = now
    # One UPDATE compares the version and raises it: see `version_id_col` of the models.
    session.flush()
