"""Log lines of all programs: events with fields, as text for people or JSON for machines."""

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO, TypedDict

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from productator.domain import time_json
from productator.ops.control_characters import escaped, escaped_lines
from productator.ops.whole_lines import WholeLines

# A traceback shows no local variables: some hold secrets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_TIME = {"text": "%Y-%m-%d %H:%M:%S", "json": "iso"}
_FIRST_FAILURE = 500

_requests = logging.getLogger("productator.requests")
# What the records of all requests have in common.
_RECORDS = {
    level: logging.LogRecord(_requests.name, level, "", 0, "request", (), None).__dict__
    for level in (logging.INFO, logging.WARNING)
}


class RequestLine(TypedDict):
    """What the access log says about a request; JSON has these names."""

    request_id: str
    method: str
    # The template of the path.
    route: str
    path: str
    status: int
    duration_ms: float
    database_ms: float
    # None: without a token.
    caller: str | None
    # Of the answer's body. None: unknown, since it is sent piece by piece.
    bytes: int | None
    # The type of the problem that the answer is.
    problem: str | None


def log_request(line: RequestLine) -> None:
    """A failure of ours is a warning."""
    level = logging.WARNING if line["status"] >= _FIRST_FAILURE else logging.INFO
    if _requests.isEnabledFor(level):
        now = time.time()
        of_this_line = {"created": now, "msecs": now % 1 * 1000, "request": line}
        # Without a search for the line of code that logs, and for names of files.
        record = logging.LogRecord.__new__(logging.LogRecord)
        record.__dict__ |= _RECORDS[level] | of_this_line
        _requests.handle(record)


def configure(log_format: str, output: TextIO | None = None) -> None:
    """Sends all records to the output, by default standard output, as 'text' or 'json'."""
    output = output or sys.stdout
    # No line shows them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = WholeLines(output)
    handler.setFormatter(
        _Formatter(
            log_format,
            foreign_pre_chain=[
                # The id of the current request.
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt=_TIME[log_format], utc=True, key="time"),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(log_format, output),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each time it reads the schema version
    # Flask's development server logs each request once more.
    logging.getLogger("werkzeug").addFilter(lambda record: " - - [" not in str(record.msg))
    # It logs a traceback for each connection lost in use; the code that used the connection handles that.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats the line of each request itself: structlog needs ten times as long."""

    def __init__(self, log_format: str, **options: Any) -> None:
        super().__init__(**options)
        self._format_request = _json_line if log_format == "json" else _text_line

    def format(self, record: logging.LogRecord) -> str:
        line: RequestLine | None = getattr(record, "request", None)
        return super().format(record) if line is None else self._format_request(record, line)


def _json_line(record: logging.LogRecord, line: RequestLine) -> str:
    at = time_json(datetime.fromtimestamp(record.created, UTC))
    head = {"time": at, "level": record.levelname.lower(), "event": "request"}
    return _json(head | line)


def _text_line(record: logging.LogRecord, line: RequestLine) -> str:
    at = datetime.fromtimestamp(record.created, UTC).strftime(_TIME["text"])
    names = ("route", "caller", "bytes", "problem", "request_id")
    fields = " ".join(f"{name}={line[name]}" for name in names if line[name] is not None)  # type: ignore[literal-required]
    return escaped(
        f"{at} [{record.levelname.lower():<9}] {line['method']} {line['path']} {line['status']}"
        f" in {line['duration_ms']} ms, database {line['database_ms']} ms {fields}"
    )


def _json(value: object, **options: Any) -> str:
    # The one control character that JSON does not escape.
    return json.dumps(value, **options).replace("\x7f", "\\u007f")


def _renderers(log_format: str, output: TextIO) -> list[Processor]:
    if log_format == "json":
        return [_TRACEBACKS, structlog.processors.JSONRenderer(serializer=_json)]
    return [
        _escape_values,
        structlog.dev.ConsoleRenderer(
            colors=output.isatty(),
            timestamp_key="time",
            pad_event_to=30,
            exception_formatter=_format_exception,
        ),
    ]


def _escape_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Texts of clients must not control an operator's terminal."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _format_exception(stream: Any, exc_info: ExcInfo) -> None:
    stream.write("\n" + escaped_lines("".join(traceback.format_exception(*exc_info)).rstrip("\n")))
