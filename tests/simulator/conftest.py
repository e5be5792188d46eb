"""The simulator as a real process, and clients of both generations."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import requests

from simulator.options import DEFAULT_REFRESH_TOKEN

PATIENCE_S = 10


@dataclass
class RunningSimulator:
    """A simulator process, and calls to it."""

    process: subprocess.Popen[str]
    address: str
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        # Ignores the proxies and .netrc of the user who runs the tests.
        self.http.trust_env = False

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].split("/")[0])

    def control(self, method: str, path: str, content: Any = None) -> Any:
        url = f"http://127.0.0.1:{self.port}/control/{path}"
        response = self.http.request(method, url, json=content, timeout=PATIENCE_S)
        response.raise_for_status()
        return response.json() if response.content else None

    def set_faults(self, *rules: dict[str, Any]) -> None:
        self.control("PUT", "faults", list(rules))

    def log(self) -> list[dict[str, Any]]:
        text = self.http.get(f"http://127.0.0.1:{self.port}/control/log", timeout=PATIENCE_S).text
        return [json.loads(line) for line in text.splitlines()]

    def call(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        defaults: dict[str, Any] = {
            "headers": {} if token is None else {"Bearer": token},
            "timeout": PATIENCE_S,
            "allow_redirects": False,
        }
        return self.http.request(method, f"{self.address}{path}", **(defaults | options))

    def access_token(self, refresh_token: str | None = None) -> str:
        response = self.call("POST", "/auth", refresh_token)
        assert response.status_code == 201, response.text
        token = response.json()["access_token"]
        assert isinstance(token, str)
        return token

    def register(self, token: str | None, product: Any, **options: Any) -> requests.Response:
        body = {"id": product, "name": "Lamp", "description": "Gives light"}
        return self.call("POST", "/products/register", token, json=body, **options)

    def offers(self, token: str | None, product: Any, **options: Any) -> requests.Response:
        return self.call("GET", f"/products/{product}/offers", token, **options)


@dataclass(frozen=True)
class Tenant:
    """A client with a token and one registered product."""

    simulator: RunningSimulator
    token: str
    product: str

    def offers(self, **options: Any) -> requests.Response:
        return self.simulator.offers(self.token, self.product, **options)


@contextmanager
def running_simulator(*flags: str, **variables: str) -> Iterator[RunningSimulator]:
    """A simulator on a free port, stopped at the end; by default its market does not move."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--tick", "0", *flags]
    with subprocess.Popen(
        command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        simulator = RunningSimulator(process, line.split()[-1] if line else "")
        try:
            assert line.startswith("simulator: generation "), process.communicate()
            yield simulator
        finally:
            simulator.http.close()
            process.terminate()
            _, errors = process.communicate(timeout=PATIENCE_S)
    assert errors == ""


@pytest.fixture(scope="session")
def shared_generation1() -> Iterator[RunningSimulator]:
    with running_simulator("--generation", "1") as simulator:
        yield simulator


@pytest.fixture(scope="session")
def shared_generation2() -> Iterator[RunningSimulator]:
    with running_simulator("--generation", "2") as simulator:
        yield simulator


@pytest.fixture
def generation1(shared_generation1: RunningSimulator) -> RunningSimulator:
    return _as_new(shared_generation1)


@pytest.fixture
def generation2(shared_generation2: RunningSimulator) -> RunningSimulator:
    return _as_new(shared_generation2)


def _as_new(simulator: RunningSimulator) -> RunningSimulator:
    simulator.control("DELETE", "faults")
    simulator.control("POST", "forget")
    simulator.control("POST", "expire")
    simulator.control("DELETE", "log")
    return simulator


@pytest.fixture(params=["generation1", "generation2"])
def simulator(request: pytest.FixtureRequest) -> RunningSimulator:
    """Both generations, in turn."""
    running = request.getfixturevalue(request.param)
    assert isinstance(running, RunningSimulator)
    return running


@pytest.fixture
def tenant(simulator: RunningSimulator) -> Tenant:
    return _tenant_of(simulator)


@pytest.fixture
def tenant1(generation1: RunningSimulator) -> Tenant:
    return _tenant_of(generation1)


@pytest.fixture
def tenant2(generation2: RunningSimulator) -> Tenant:
    return _tenant_of(generation2)


def _tenant_of(simulator: RunningSimulator) -> Tenant:
    token, product = simulator.access_token(DEFAULT_REFRESH_TOKEN), product_with_offers(simulator)
    assert simulator.register(token, product).status_code == 201
    return Tenant(simulator, token, product)


def product_with_offers(simulator: RunningSimulator) -> str:
    """The id of a product that has at least two offers now; some have none."""
    return next(
        product
        for product in iter(lambda: str(uuid4()), None)
        if len(simulator.control("GET", f"products/{product}/offers")["offers"]) > 1
    )
