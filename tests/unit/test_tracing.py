"""Traces, read from an exporter in memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from productator.app import create_app
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import db
from productator.errors import ConfigError
from productator.ops import tracing
from productator.ops.spans import Tracing
from tests import factories
from tests.servers import dispose_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Tracing(provider)
    provider.shutdown()


@pytest.fixture
def spans(tmp_path: Path, traces: Tracing, exporter: InMemorySpanExporter) -> Iterator[list[ReadableSpan]]:
    """The spans of a request that creates a product and of one that reads another, which does not exist."""
    url = f"sqlite:///{tmp_path / 'products.db'}"
    engine = make_engine(url)
    migrate.migrate(engine)
    engine.dispose()
    app = create_app(factories.settings(database_url=url))
    app.wsgi_app = traces.traced(app.wsgi_app)  # type: ignore[method-assign]
    with app.app_context():
        for each in db.engines.values():
            traces.watch_statements(each)
    client = app.test_client()
    client.post(
        "/api/v1/products",
        json={"name": "text of a user"},
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": "order-1"},
    )
    client.get("/api/v1/products/7")
    yield list(exporter.get_finished_spans())
    dispose_of(app)


def of_requests(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return [span for span in spans if span.kind is SpanKind.SERVER]


def test_a_request_is_a_span_named_by_its_route(spans: list[ReadableSpan]) -> None:
    assert [span.name for span in of_requests(spans)] == [
        "POST /api/v1/products",
        "GET /api/v1/products/{id}",
    ]
    assert [dict(span.attributes or {})["http.response.status_code"] for span in of_requests(spans)] == [
        201,
        404,
    ]
    assert dict(of_requests(spans)[0].attributes or {})["productator.request_id"] == "order-1"


def test_a_request_goes_on_with_the_trace_of_its_caller(spans: list[ReadableSpan]) -> None:
    created, read = of_requests(spans)

    assert created.parent
    assert f"{created.context.trace_id:032x}" == TRACE
    assert f"{created.parent.span_id:016x}" == CALLER
    assert read.parent is None


def test_statements_are_parts_of_their_request_and_show_no_parameters(spans: list[ReadableSpan]) -> None:
    request = of_requests(spans)[0]
    statements = [span for span in spans if span.parent and span.parent.span_id == request.context.span_id]

    assert {"INSERT", "BEGIN"} <= {span.name for span in statements}
    assert "text of a user" not in "".join(span.to_json() for span in spans)


@pytest.mark.parametrize(
    ("status", "failure", "code"),
    [(200, None, StatusCode.UNSET), (503, None, StatusCode.ERROR), (0, "timed out", StatusCode.ERROR)],
)
def test_a_call_is_a_span_whose_id_is_sent(
    traces: Tracing, exporter: InMemorySpanExporter, status: int, failure: str | None, code: StatusCode
) -> None:
    call = traces.call("GET", "/products/0af76519-16cd-43dd-8448-eb211c80319c/offers")
    call.end(status=status, failure=failure)

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.status.status_code) == ("GET /products/{id}/offers", code)
    sent = f"traceparent: 00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"
    assert call.header.startswith(sent)


def test_without_an_address_nothing_of_opentelemetry_is_imported() -> None:
    program = (
        "import sys; from productator.ops import tracing; import productator.app, refresher.__main__;"
        " tracing.start(None, service='x'); print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert printed.stdout == "[]\n"


def test_an_address_without_the_packages_is_a_mistake_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "productator.ops.spans", None)
    monkeypatch.delattr("productator.ops.spans", raising=False)

    with pytest.raises(ConfigError, match=r"productator\[otel\]"):
        tracing.start("http://127.0.0.1:4318", service="x")
