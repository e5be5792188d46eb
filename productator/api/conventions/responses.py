"""JSON responses, responses without a body, and a header of all responses."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app
from pydantic_core import to_json


def json_response(
    body: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Response:
    return current_app.response_class(
        to_json(body), status=status, headers=headers, content_type=content_type
    )


def init_app(app: Flask) -> None:
    @app.after_request
    def forbid_guesses(response: Response) -> Response:
        """Keeps browsers from taking texts that clients wrote for scripts or pages."""
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def no_content() -> Response:
    response = current_app.response_class(status=204)
    del response.headers["Content-Type"]
    return response
