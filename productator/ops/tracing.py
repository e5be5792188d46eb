"""Traces, where an address for them is set; else nothing of OpenTelemetry is imported."""

from typing import TYPE_CHECKING

from productator.errors import ConfigError

if TYPE_CHECKING:
    from productator.ops.spans import Tracing

# Key in the environ of a request: the template of its path, for its span.
ROUTE = "productator.route"


def start(address: str | None, *, service: str) -> "Tracing | None":
    """Call this in the process that works: the thread that sends the traces does not survive a fork."""
    if address is None:
        return None
    try:
        from productator.ops import spans  # noqa: PLC0415 - OpenTelemetry need not be installed
    except ImportError as error:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is missing: install productator[otel]."
        ) from error
    return spans.Tracing(spans.provider(address, service=service))
