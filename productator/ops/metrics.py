"""Metrics of the API, of all its processes together."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from productator.database import failures

try:
    import uwsgi
except ImportError:  # a server of one process
    uwsgi = None

# prometheus_client reads this variable. `productator serve` makes the folder.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# The values of labels: each has its series from the start, so that no query is empty for lack of one.
DATABASE_USES = ("read", "write")
IDEMPOTENCY_OUTCOMES = ("fresh", "replayed", "conflict", "reused", "malformed")
AUTH_FAILURES = ("missing", "invalid", "scope")
REPLICA_READS = ("replica", "wrote", "behind", "failed", "busy")


class _Series(NamedTuple):
    requests: Counter
    seconds: Histogram


class ApiMetrics:
    """Counts what requests do.

    Under uWSGI each worker writes to files of its own, in a folder that they share, and any worker adds them
    up. The files have the number of the worker, not of its process, so a new worker goes on where the last
    one of its number ended: no count is lost, and there are no more files than workers.
    """

    def __init__(self, *, schema: str, connections: int) -> None:
        """`connections`: how many requests of this process may use the database at the same time."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # files of several processes have none
        self._registry = registry = CollectorRegistry()
        self._shown = registry
        if uwsgi is not None and FOLDER in os.environ:
            # uWSGI removes it when it ends, and also when it starts itself anew.
            Path(os.environ[FOLDER]).mkdir(mode=0o700, exist_ok=True)
            values.ValueClass = values.MultiProcessValue(uwsgi.worker_id)  # type: ignore[no-untyped-call]
            self._shown = CollectorRegistry()
            MultiProcessCollector(self._shown)  # type: ignore[no-untyped-call]  # it registers itself
        self._series: dict[tuple[str, str, int], _Series] = {}
        self._requests = Counter(
            "productator_http_requests_total",
            "Answered requests",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "productator_http_request_duration_seconds",
            "From the head of a request until its answer was ready",
            ["method", "route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.in_progress = self._gauge("productator_http_requests_in_progress", "Requests without an answer")
        database = Histogram(
            "productator_database_seconds",
            "How long requests had or awaited a database connection",
            ["kind"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._database = {kind: database.labels(kind) for kind in DATABASE_USES}
        self._database_errors = self._counters(
            "productator_database_errors_total", "Errors of the database", "kind", failures.FAILURE_KINDS
        )
        self._gauge(
            "productator_database_connections_limit", "Requests that may use the database at the same time"
        ).set(connections)
        self._idempotency = self._counters(
            "productator_idempotency_total", "Requests with a key", "outcome", IDEMPOTENCY_OUTCOMES
        )
        self._auth_failures = self._counters(
            "productator_auth_failures_total", "Requests without the rights", "reason", AUTH_FAILURES
        )
        self._rate_limited = Counter(
            "productator_rate_limited_total", "Requests beyond a rate limit", registry=registry
        )
        self._replica_reads = self._counters(
            "productator_replica_reads_total", "Reads that a replica may answer", "outcome", REPLICA_READS
        )
        self._replica_lag = Gauge(
            "productator_replica_lag_seconds",
            "How far the replica is behind, at the most",
            registry=registry,
            multiprocess_mode="max",
        )
        # Not the type Info, which several processes cannot share.
        Gauge(
            "productator_build_info",
            "Always 1; the labels name what runs",
            ["version", "python", "schema"],
            registry=registry,
            multiprocess_mode="max",
        ).labels(metadata.version("productator"), platform.python_version(), schema).set(1)

    def count_request(self, method: str, route: str, status: int, *, seconds: float) -> None:
        """Counts an answered request; `route` is a template, so that series are bounded."""
        known_method = method if method in _METHODS else _OTHER
        series = self._series.get((known_method, route, status)) or self.expect(known_method, route, status)
        series.requests.inc()
        series.seconds.observe(seconds)

    def expect(self, method: str, route: str, status: int) -> _Series:
        """Shows the series of such requests from now on."""
        requests, seconds = self._requests.labels(method, route, status), self._seconds.labels(method, route)
        series = self._series[method, route, status] = _Series(requests, seconds)
        return series

    def count_database_use(self, kind: str, seconds: float) -> None:
        self._database[kind].observe(seconds)

    def count_database_error(self, kind: str) -> None:
        self._database_errors[kind].inc()

    def count_idempotency(self, outcome: str) -> None:
        self._idempotency[outcome].inc()

    def count_auth_failure(self, reason: str) -> None:
        self._auth_failures[reason].inc()

    def count_rate_limited(self) -> None:
        self._rate_limited.inc()

    def count_replica_read(self, outcome: str) -> None:
        self._replica_reads[outcome].inc()

    def set_replica_lag(self, seconds: float) -> None:
        self._replica_lag.set(seconds)

    def page(self) -> bytes:
        """All metrics of all processes, as Prometheus reads them."""
        return generate_latest(self._shown)

    def _counters(self, name: str, meaning: str, label: str, labelled: tuple[str, ...]) -> dict[str, Counter]:
        counter = Counter(name, meaning, [label], registry=self._registry)
        return {each: counter.labels(each) for each in labelled}

    def _gauge(self, name: str, meaning: str) -> Gauge:
        """A gauge of which the processes have a part each."""
        gauge = Gauge(name, meaning, registry=self._registry, multiprocess_mode="sum")
        gauge.set(0)  # a worker that was killed has left its part behind
        return gauge
