"""uWSGI with next to nothing in it: what no Python application under it can be faster than."""

from collections.abc import Callable, Iterable

_BODY = b'{"hello": "world"}'
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))]


def application(
    _environ: dict[str, object], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS)
    return [_BODY]
