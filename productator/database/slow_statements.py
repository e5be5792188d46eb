"""A line in the log for each statement that takes long, without its parameters: they are texts of users."""

import logging
import time
from typing import Any

from sqlalchemy import Engine, ExceptionContext, event

log = logging.getLogger(__name__)

_LONGEST_TEXT = 2_000


def log_slow_statements(engine: Engine, *, longer_than_ms: int) -> None:
    """0: none. The line has the id of the request, as every line of a request has."""
    if longer_than_ms == 0:
        return

    @event.listens_for(engine, "before_cursor_execute")
    def begin(
        _connection: object, _cursor: object, _text: str, _values: object, context: Any, *_: Any
    ) -> None:
        context.began_at = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(_connection: object, _cursor: object, text: str, _values: object, context: Any, *_: Any) -> None:
        _log_if_slow(text, context, longer_than_ms)

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        if failure.statement is not None and hasattr(failure.execution_context, "began_at"):
            _log_if_slow(failure.statement, failure.execution_context, longer_than_ms)


def _log_if_slow(text: str, context: Any, longer_than_ms: int) -> None:
    took_ms = (time.perf_counter() - context.began_at) * 1000
    if took_ms > longer_than_ms:
        statement = " ".join(text.split())[:_LONGEST_TEXT]
        log.warning("slow statement", extra={"duration_ms": round(took_ms), "statement": statement})
