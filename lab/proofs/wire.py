"""Requests whose answer may be lost, in two steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from requests.structures import CaseInsensitiveDict

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.program import HOST
from lab.waiting import PATIENCE_S


class AnswerLost(Exception):
    """No complete answer came: whether the request had its effect is not known."""


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WireCall:
    """One request on a connection of its own, in two steps."""

    def __init__(self, api: Api) -> None:
        self._connection = HTTPConnection(HOST, api.port, timeout=PATIENCE_S)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """Sends the whole request; returns the client's port."""
        content = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {ADMIN_TOKEN}"
        if content:
            named["Content-Type"] = "application/json"
        try:
            self._connection.connect()
            port = int(self._connection.sock.getsockname()[1])
            self._connection.request(method, f"/api/v1{path}", content, named)
        except OSError as error:
            self._connection.close()
            raise AnswerLost(type(error).__name__) from error
        return port

    def receive(self) -> HttpAnswer:
        try:
            response = self._connection.getresponse()
            # Names of headers are found in any case, as HTTP has it.
            headers = CaseInsensitiveDict(response.getheaders())
            return HttpAnswer(response.status, headers, response.read())
        except (OSError, HTTPException) as error:
            raise AnswerLost(type(error).__name__) from error
        finally:
            self._connection.close()


def exchange(api: Api, method: str, path: str, body: Any = None, **headers: str) -> HttpAnswer:
    call = WireCall(api)
    call.send(method, path, body, **headers)
    return call.receive()
