"""JSON responses, and responses without a body."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app


def json_response(
    body: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return current_app.response_class(text, status=status, headers=headers, content_type=content_type)


def no_content() -> Response:
    response = current_app.response_class(status=204)
    del response.headers["Content-Type"]
    return response
