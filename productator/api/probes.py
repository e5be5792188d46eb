"""Probes for operators: whether the API is alive, and ready for traffic."""

import logging

from flask import Blueprint, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from productator.api.conventions.problems import not_ready
from productator.api.conventions.responses import json_response
from productator.database import migrate
from productator.database.failures import NOT_MIGRATED, is_unmigrated, reason
from productator.database.web import reading, retried

log = logging.getLogger(__name__)

probes = Blueprint("probes", __name__)


@probes.get("/livez")
def livez() -> Response:
    """The process answers; touches nothing else, so that a lost database restarts no one."""
    return json_response({"status": "alive"})


@probes.get("/readyz")
def readyz() -> Response:
    """The database answers and has the schema this version was built for."""
    try:
        found = _revision()
    except (DBAPIError, PoolTimeout) as error:
        log.warning("not ready", extra={"error": reason(error)})
        return not_ready(NOT_MIGRATED if is_unmigrated(error) else "The database does not answer.")
    if found is not None and not migrate.is_known(found):
        return not_ready(str(migrate.SchemaUnknown(found)))
    if found != migrate.newest_revision():
        return not_ready(NOT_MIGRATED)
    return json_response({"status": "ready"})


@retried
def _revision() -> str | None:
    with reading() as connection:
        return migrate.revision(connection)
