"""CORS: the web pages of the configured origins may call the API from a browser.

Not Flask-Cors: it names every method in the answer to a preflight, whatever methods the route has, and omits
`Vary: Origin` where one origin is allowed. The API uses no cookies, so credentials are never allowed.
"""

from flask import Flask, Response, request

ANY = "*"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
_ANSWER_HEADERS = (
    "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate,"
    " X-Request-Id"
)
_PREFLIGHT_MAX_AGE_S = 3600


def init_app(app: Flask, origins: frozenset[str]) -> None:
    if not origins:
        return

    @app.after_request
    def share(response: Response) -> Response:
        """Lets pages read answers, errors included."""
        if ANY not in origins:
            response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is not None and not origins.isdisjoint({ANY, origin}):
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else origin
            _allow(response)
        return response


def _allow(response: Response) -> None:
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
    elif "Allow" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_MAX_AGE_S)
