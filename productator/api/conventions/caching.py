"""What caches on the way may do with answers: keep those of anybody's reads for a moment, and no others."""

from flask import Flask, Response, request

from productator.api.conventions.auth import PROTECTED
from productator.api.conventions.conditional import ASK_EACH_TIME

_PRIVATE = "private, no-cache"
# The answer to one caller is not that to another.
_CALLERS = ("Authorization", "Cookie")
_VARY = ", ".join(_CALLERS)
_KEPT = {200, 304}


def init_app(app: Flask, *, cache_s: int, is_all_private: bool) -> None:
    """Caches may keep anonymous reads for `cache_s`; who sends a token or a cookie reads what it wrote."""
    for_anybody = f"public, max-age={cache_s}" if cache_s else ASK_EACH_TIME

    @app.after_request
    def control_caches(response: Response) -> Response:
        headers, environ = response.headers, request.environ
        if not environ["PATH_INFO"].startswith(PROTECTED):
            headers.setdefault("Cache-Control", ASK_EACH_TIME)
            return response
        if headers.getlist("Vary"):
            response.vary.update(_CALLERS)
        else:
            headers.add("Vary", _VARY)
        if is_all_private or "HTTP_AUTHORIZATION" in environ or "HTTP_COOKIE" in environ:
            headers["Cache-Control"] = _PRIVATE
        elif response.status_code in _KEPT and environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            headers["Cache-Control"] = for_anybody
        else:
            headers["Cache-Control"] = ASK_EACH_TIME
        return response
