"""Watches every request: counts it, writes its line of the access log, and serves the metrics."""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Request, Response, current_app, g, request
from flask.ctx import _AppCtxGlobals
from prometheus_client import CONTENT_TYPE_LATEST

from productator.api.conventions import problem_types
from productator.api.conventions.problem_types import ProblemType
from productator.api.conventions.rate_limits import EXEMPT
from productator.api.openapi.document import path_of
from productator.database.web import database
from productator.ops.logging import RequestLine, log_request
from productator.ops.metrics import ApiMetrics
from productator.ops.tracing import ROUTE

UNMATCHED = "unmatched"

_EXTENSION = "productator-metrics"
_BEGAN = "productator.began"
_IDEMPOTENCY = {
    problem_types.KEY_IN_USE: "conflict",
    problem_types.KEY_REUSED: "reused",
    problem_types.MALFORMED_KEY: "malformed",
}
_AUTH_FAILURES = {
    problem_types.TOKEN_REQUIRED: "missing",
    problem_types.TOKEN_INVALID: "invalid",
    problem_types.SCOPE_MISSING: "scope",
}
_FIRST_FAILURE = 400
# Argument of the routes whose path holds a secret.
_SECRET = "secret"  # noqa: S105 - the name of an argument
_LONGEST_PATH = 1_000
_LONGEST_METHOD = 20

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def read_metrics() -> Response:
    """Metrics of all processes of this API, for Prometheus."""
    found: ApiMetrics = current_app.extensions[_EXTENSION]
    return current_app.response_class(found.page(), content_type=CONTENT_TYPE_LATEST)


def init_app(app: Flask, api_metrics: ApiMetrics) -> None:
    """Call this before all other hooks: its own then runs last, when the answer is complete."""
    app.extensions[_EXTENSION] = api_metrics
    # So that a scan of random paths adds no series.
    api_metrics.expect("GET", UNMATCHED, HTTPStatus.NOT_FOUND)
    observe = _Observation(api_metrics)
    app.after_request(observe.answered)


class RequestsInProgress:
    """WSGI middleware around all others: a request begins here, also one that has to wait for its turn."""

    def __init__(self, application: Callable[..., Iterable[bytes]], api_metrics: ApiMetrics) -> None:
        self._application = application
        self._in_progress = api_metrics.in_progress

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[_BEGAN] = time.perf_counter()
        self._in_progress.inc()
        try:
            return self._application(environ, start_response)
        finally:
            self._in_progress.dec()


class _Observation:
    def __init__(self, api_metrics: ApiMetrics) -> None:
        self._metrics = api_metrics
        # By the rule as Flask writes it.
        self._templates: dict[str, str] = {}

    def answered(self, response: Response) -> Response:
        # Each access through one of Flask's proxies takes as long as a count.
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented
        known: _AppCtxGlobals = g._get_current_object()  # noqa: SLF001 - documented
        seconds = time.perf_counter() - asked.environ[_BEGAN]
        route = asked.environ[ROUTE] = self._route(asked)
        self._metrics.count_request(asked.method, route, response.status_code, seconds=seconds)
        problem: ProblemType | None = known.get("problem_type")
        if problem is not None:
            self._count_problem(problem)
        elif "idempotency_outcome" in known:
            self._metrics.count_idempotency(known.idempotency_outcome)
        if response.status_code >= _FIRST_FAILURE or asked.path not in EXEMPT:
            log_request(_line(asked, known, response, route, seconds=seconds, problem=problem))
        return response

    def _route(self, asked: Request) -> str:
        rule = asked.url_rule
        if rule is None:
            return UNMATCHED
        known = self._templates.get(rule.rule)
        if known is None:
            known = self._templates[rule.rule] = path_of(rule)
        return known

    def _count_problem(self, problem: ProblemType) -> None:
        if problem in _IDEMPOTENCY:
            self._metrics.count_idempotency(_IDEMPOTENCY[problem])
        elif problem in _AUTH_FAILURES:
            self._metrics.count_auth_failure(_AUTH_FAILURES[problem])
        elif problem is problem_types.TOO_MANY_REQUESTS:
            self._metrics.count_rate_limited()


def _line(
    asked: Request,
    known: _AppCtxGlobals,
    response: Response,
    route: str,
    *,
    seconds: float,
    problem: ProblemType | None,
) -> RequestLine:
    caller = known.get("caller")
    shows_path = not asked.view_args or _SECRET not in asked.view_args
    return {
        "request_id": known.request_id,
        "method": asked.method[:_LONGEST_METHOD],
        "route": route,
        # Without the query.
        "path": asked.path[:_LONGEST_PATH] if shows_path else route,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 1),
        "database_ms": round(database().use.used_s * 1000, 1),
        "caller": caller.name if caller else None,
        "bytes": 0 if asked.method == "HEAD" else response.calculate_content_length(),
        "problem": problem.name if problem else None,
    }
