"""Which web pages of other origins may call the API from a browser (CORS); none unless they are named.

Own code because Flask-Cors names every method in a preflight's answer, whatever the route has, and leaves
out `Vary: Origin` where one origin is allowed. Cookies mean nothing here, so credentials are never allowed.
"""

from flask import Flask, Response, request

ANY = "*"
_SENT = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
_SHOWN = (
    "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate,"
    " X-Request-Id"
)
_PREFLIGHT_KEPT_S = 3600


def init_app(app: Flask, origins: frozenset[str]) -> None:
    if not origins:
        return

    @app.after_request
    def share(response: Response) -> Response:
        """Of errors, too: a page has to be able to read what was wrong."""
        if ANY not in origins:
            response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is not None and not origins.isdisjoint({ANY, origin}):
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else origin
            _allow(response)
        return response


def _allow(response: Response) -> None:
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        response.headers["Access-Control-Expose-Headers"] = _SHOWN
    elif "Allow" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers["Allow"]
        response.headers["Access-Control-Allow-Headers"] = _SENT
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_KEPT_S)
