"""Changing a row that others may change at the same time."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, and_, bindparam
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from productator.database.prepared import Written
from productator.errors import StaleVersion, VersionExcluded, WeakTagSent


class Versioned(Protocol):
    """A row with a version, which each change raises."""

    @property
    def version(self) -> int: ...


class StoredRow(Versioned, Protocol):
    @property
    def id(self) -> int: ...


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


def as_read(table: Table) -> ColumnElement[bool]:
    """The condition of an UPDATE or DELETE: the row, unless it was changed since it was read.

    `parameters_as_read` has the values.
    """
    return and_(
        table.c.id == bindparam("of_row", type_=table.c.id.type),
        table.c.version == bindparam("of_version", type_=table.c.version.type),
    )


def parameters_as_read(row: StoredRow) -> dict[str, int]:
    return {"of_row": row.id, "of_version": row.version}


def require_one(written: Written) -> None:
    """The caller has locked the row, which holds on one node of a cluster only."""
    if not written.rows:
        raise StaleDataError("another node of a cluster changed this row")


def apply(session: Session, row: Changeable, changes: Mapping[str, Any], *, now: datetime) -> None:
    """Sets the named fields. If none differs, version and time stay as they are."""
    if all(getattr(row, field) == value for field, value in changes.items()):
        return
    for field, value in changes.items():
        setattr(row, field, value)
    row.updated_at = now
    # One UPDATE compares the version and raises it: see `version_id_col` of the models.
    session.flush()
