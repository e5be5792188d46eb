"""Probes for operators: whether the API is alive, and ready for traffic."""

import logging
from uuid import uuid4

from flask import Blueprint, Response, current_app
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from productator import idempotency
from productator.api.conventions.problems import not_ready
from productator.api.conventions.responses import json_response
from productator.database import migrate
from productator.database.failures import NOT_MIGRATED, is_unmigrated, reason, why_nothing_is_stored
from productator.database.web import database, reading, retried, transaction
from productator.domain import utc_now
from productator.errors import CommitUnknown, DatabaseUnavailable

log = logging.getLogger(__name__)

# A small write shows a read-only database, and hardly fills the server's log of changes. After a failed one,
# only a large one counts: a few free bytes would let the probe pass and the next request fail.
_SMALL_BYTES = 64
_LARGE_BYTES = 256 * 1024

# A probe of its own waits no longer than three seconds.
_BUDGET_S = 2

probes = Blueprint("probes", __name__)


@probes.get("/livez")
def livez() -> Response:
    """The process answers; touches nothing else, so that a lost database restarts no one."""
    return json_response({"status": "alive"})


@probes.get("/readyz")
def readyz() -> Response:
    """The database answers, has a schema this version may use, and stores what it is given.

    An API that is about to stop is not ready either, so that load balancers leave it.
    """
    if current_app.config["DRAINING"].has_begun:
        return not_ready("The API is about to stop.")
    database().use.limit(_BUDGET_S)
    try:
        if _is_older(_revision()):
            return not_ready(NOT_MIGRATED)
        _try_to_write()
    except migrate.SchemaUnknown as error:
        return not_ready(str(error))
    except (DBAPIError, PoolTimeout, CommitUnknown, DatabaseUnavailable) as error:
        found_error = reason(error) if isinstance(error, SQLAlchemyError) else str(error.__cause__ or error)
        log.warning("not ready", extra={"error": found_error})
        if isinstance(error, SQLAlchemyError) and is_unmigrated(error):
            return not_ready(NOT_MIGRATED)
        why = why_nothing_is_stored(error) if isinstance(error, DBAPIError) else None
        return not_ready(why or "The database does not answer.")
    return json_response({"status": "ready"})


@retried
def _revision() -> str | None:
    """The schema's; raises SchemaUnknown if that is newer and excludes this version."""
    with reading() as connection:
        found = migrate.revision(connection)
        if found is not None and not migrate.is_known(found):
            migrate.check_newer(connection, found)
        return found


def _is_older(found: str | None) -> bool:
    """Whether the schema is older than this version's: a newer one is unknown to it."""
    return found is None or (migrate.is_known(found) and found != migrate.newest_revision())


@retried
def _try_to_write() -> None:
    """Stores a row and deletes it again, each in a transaction of its own: only a commit needs the room."""
    scope = uuid4().hex
    size = _LARGE_BYTES if database().have_writes_failed else _SMALL_BYTES
    with transaction() as session:
        idempotency.store_filler(session, scope, size=size, now=utc_now())
    with transaction() as session:
        idempotency.delete_filler(session, scope)
    database().have_writes_failed = False
