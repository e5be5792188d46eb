"""Spans of OpenTelemetry: requests to the API, their SQL, and calls to the Offers service."""

import re
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine, ExceptionContext, event

from productator.ops.threads import without_signals
from productator.ops.tracing import ROUTE

_CONTEXT = TraceContextTextMapPropagator()
_TRACE_HEADERS = ("traceparent", "tracestate")
_FIRST_FAILURE = 500
# Ids in the paths of the Offers service: a span's name is the same for all products.
_ID = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}(?=/|$)")


def provider(address: str, *, service: str) -> TracerProvider:
    """Sends spans to `address` in batches, in a thread of its own."""
    version = metadata.version("productator")
    made = TracerProvider(
        resource=Resource.create({"service.name": service, "service.version": version}), shutdown_on_exit=True
    )
    with without_signals():
        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
    return made


class HttpCallSpan:
    """One call to the Offers service, until its reply; `header` makes the service's spans a part of it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier, trace.set_span_in_context(span))
        self.header = f"traceparent: {carrier['traceparent']}"

    def end(self, *, status: int, failure: str | None) -> None:
        if failure is None:
            self._span.set_attribute("http.response.status_code", status)
        if failure is not None or status >= _FIRST_FAILURE:
            self._span.set_status(StatusCode.ERROR, failure)
        self._span.end()


class Tracing:
    def __init__(self, given: TracerProvider) -> None:
        self._tracer = given.get_tracer("productator")

    def traced(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The WSGI application with a span for each request, which goes on with the trace of its caller."""

        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            sent = {name: environ.get(f"HTTP_{name.upper()}", "") for name in _TRACE_HEADERS}
            method = environ.get("REQUEST_METHOD", "GET")
            with self._tracer.start_as_current_span(
                method, context=_CONTEXT.extract(sent), kind=SpanKind.SERVER
            ) as span:

                def respond(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                    _describe(span, method, environ.get(ROUTE, ""), int(status[:3]), dict(headers))
                    return start_response(status, headers, *error)

                return application(environ, respond)

        return serve

    def watch_statements(self, engine: Engine | type[Engine] = Engine) -> None:
        """A span for each statement of a request, without its parameters; by default of all engines."""
        event.listen(engine, "before_cursor_execute", self._begin_statement)
        event.listen(engine, "after_cursor_execute", _end_statement)
        event.listen(engine, "handle_error", _fail_statement)

    def call(self, method: str, path: str) -> HttpCallSpan:
        """The span of a call to the Offers service."""
        known = _ID.sub("/{id}", path)
        attributes = {"http.request.method": method, "url.path": path}
        return HttpCallSpan(
            self._tracer.start_span(f"{method} {known}", kind=SpanKind.CLIENT, attributes=attributes)
        )

    def _begin_statement(
        self, connection: Any, _cursor: object, text: str, _values: object, context: Any, *_: Any
    ) -> None:
        if trace.get_current_span().is_recording():
            context.span = self._tracer.start_span(
                text.split(maxsplit=1)[0].upper(),
                kind=SpanKind.CLIENT,
                attributes={"db.system.name": connection.dialect.name, "db.query.text": text},
            )


def _describe(span: Span, method: str, route: str, status: int, headers: dict[str, str]) -> None:
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "productator.request_id": headers.get("X-Request-Id", ""),
        }
    )
    if status >= _FIRST_FAILURE:
        span.set_status(StatusCode.ERROR)


def _end_statement(*call: Any) -> None:
    if span := getattr(call[4], "span", None):
        span.end()


def _fail_statement(failure: ExceptionContext) -> None:
    if span := getattr(failure.execution_context, "span", None):
        # Not the message, in which a database may quote what users wrote.
        span.set_status(StatusCode.ERROR, type(failure.original_exception).__name__)
        span.end()
