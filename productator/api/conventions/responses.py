"""JSON responses, responses without a body, and a header of all responses."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app
from pydantic_core import to_json
from werkzeug.datastructures import Headers

# The others have no body, or are rare.
_COMPLETE = {HTTPStatus.OK, HTTPStatus.CREATED}


class JsonResponse(Response):
    """An answer that is complete, so that nothing of it is left to complete or to correct."""

    def __init__(
        self, content: bytes, status: int, headers: Iterable[tuple[str, str]], content_type: str
    ) -> None:
        # One by one, which takes half as many calls as a list of them.
        own = Headers()
        own.add("Content-Type", content_type)
        own.add("Content-Length", str(len(content)))
        for name, value in headers:
            own.add(name, value)
        super().__init__([content], status, own)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # `Location` is complete, too: `Forwarding` and the settings let no prefix pass that has to be quoted.
        is_complete = self.status_code in _COMPLETE
        if not is_complete or environ["REQUEST_METHOD"] == "HEAD" or self._on_close:
            return super().__call__(environ, start_response)
        start_response(self.status, list(self.headers))
        return self.response  # type: ignore[return-value]


def json_response(
    body: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Response:
    return json_content(to_json(body), status, headers, content_type=content_type)


def json_content(
    content: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Response:
    return JsonResponse(content, status, headers.items() if headers else (), content_type)


def init_app(app: Flask) -> None:
    @app.after_request
    def forbid_guesses(response: Response) -> Response:
        """Keeps browsers from taking texts that clients wrote for scripts or pages."""
        response.headers.add("X-Content-Type-Options", "nosniff")
        return response


def no_content() -> Response:
    response = current_app.response_class(status=204)
    del response.headers["Content-Type"]
    return response
