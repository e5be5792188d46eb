"""Log lines of all programs: events with fields, as text for people or JSON for machines."""

import logging
import sys

import structlog
from structlog.typing import Processor

# A traceback shows no local variables: some hold secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_TIME = {"text": "%Y-%m-%d %H:%M:%S", "json": "iso"}


def configure(log_format: str) -> None:
    """Sends all records to standard output, as 'text' or 'json'."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                # The id of the current request.
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt=_TIME[log_format], utc=True, key="time"),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each time it reads the schema version
    # It logs a traceback for each connection lost in use; the code that used the connection handles that.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [_TRACEBACKS, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            timestamp_key="time",
            pad_event_to=30,
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]
