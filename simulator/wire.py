"""Sends answers: correctly, or late, byte by byte, in part, oversized, or not at all."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulator.calls import ServiceAnswer, reason_of

# With this option, the kernel ends an aborted connection with RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)
_FILLER = b'{"id":1,"price":100,"items_in_stock":1},' * 1_600


def response_of(answer: ServiceAnswer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers=[("Content-Type", answer.content_type), *answer.headers],
    )


async def send_badly(
    kind: str, request: web.BaseRequest, answer: ServiceAnswer, settings: dict[str, Any]
) -> web.StreamResponse:
    try:
        return await _SENDERS[kind](request, answer, **settings)
    except ConnectionResetError:
        # The client has disconnected, as these faults intend.
        return _hang_up(request)


async def _send_late(
    _request: web.BaseRequest, answer: ServiceAnswer, *, seconds: float
) -> web.StreamResponse:
    await asyncio.sleep(seconds)
    return response_of(answer)


async def _send_nothing(request: web.BaseRequest, _answer: ServiceAnswer, **_: Any) -> web.StreamResponse:
    # Never completed: the server cancels this task when the client disconnects.
    await asyncio.get_running_loop().create_future()
    return _hang_up(request)


async def _close(request: web.BaseRequest, _answer: ServiceAnswer, **_: Any) -> web.StreamResponse:
    return _hang_up(request)


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    # The server expects a response object, but the connection is closed.
    return web.Response()


async def _reset(request: web.BaseRequest, _answer: ServiceAnswer, **_: Any) -> web.StreamResponse:
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()
    return web.Response()


async def _begin(request: web.BaseRequest, answer: ServiceAnswer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    response.headers.extend(answer.headers)
    await response.prepare(request)
    return response


async def _drip(request: web.BaseRequest, answer: ServiceAnswer, *, seconds: float) -> web.StreamResponse:
    response = await _begin(request, answer)
    for byte in answer.body:
        await asyncio.sleep(seconds)
        await response.write(bytes([byte]))
    return response


async def _drip_headers(
    request: web.BaseRequest, answer: ServiceAnswer, *, seconds: float
) -> web.StreamResponse:
    """Writes to the connection directly, since the server sends all headers at once."""
    status = f"{answer.status} {reason_of(answer.status)}"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {answer.content_type}\r\nConnection: close\r\n"
    for byte in f"{head}Content-Length: {len(answer.body)}\r\n\r\n".encode():
        if request.transport is None:
            return web.Response()
        request.transport.write(bytes([byte]))
        await asyncio.sleep(seconds)
    if request.transport is not None:
        request.transport.write(answer.body)
    return _hang_up(request)


async def _truncate(request: web.BaseRequest, answer: ServiceAnswer) -> web.StreamResponse:
    response = await _begin(request, answer)
    await response.write(answer.body[: len(answer.body) // 2])
    return _hang_up(request)


async def _send_oversized(
    request: web.BaseRequest, _answer: ServiceAnswer, *, size: int, declared: bool
) -> web.StreamResponse:
    """Valid JSON of `size` bytes; with `declared`, the headers give its size."""
    response = web.StreamResponse()
    response.content_type = "application/json"
    if declared:
        response.content_length = size
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(b"[")
    left = size - 2
    while left >= len(_FILLER):
        await response.write(_FILLER)
        left -= len(_FILLER)
    # The filler ends with a comma, so the list ends with a number, padded with blanks.
    await response.write(b"0".rjust(left) + b"]")
    return response


_SENDERS: dict[str, Callable[..., Awaitable[web.StreamResponse]]] = {
    "latency": _send_late,
    "timeout": _send_nothing,
    "reset": _reset,
    "close": _close,
    "drip": _drip,
    "drip_headers": _drip_headers,
    "truncated": _truncate,
    "oversized": _send_oversized,
}
