"""Requests that may be lost, as a careful client sees them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.program import HOST
from lab.waiting import PATIENCE_S


class Lost(Exception):
    """No whole answer came: whether the request had its effect is not known."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Call:
    """One request on a connection of its own, in two steps."""

    def __init__(self, api: Api) -> None:
        self._connection = HTTPConnection(HOST, api.port, timeout=PATIENCE_S)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """Returns the port it is sent from, when it has been sent whole."""
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
            raise Lost(type(error).__name__) from error
        return port

    def answer(self) -> Answer:
        try:
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, HTTPException) as error:
            raise Lost(type(error).__name__) from error
        finally:
            self._connection.close()


def exchange(api: Api, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    call = Call(api)
    call.send(method, path, body, **headers)
    return call.answer()
