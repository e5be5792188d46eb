"""Which replica the proxy asks, and when it asks another one: a real nginx before stand-ins for the API."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from lab.processes.api import Api
from lab.processes.program import free_port
from lab.processes.proxy import start_proxy
from lab.processes.system import System
from lab.waiting import eventually
from tests.deploy.stand_in_api import StandIn, standing_in

CHANGES = pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System("sqlite://", tmp_path)
    yield system
    assert not system.stop_all()


@pytest.fixture
def replicas() -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        yield [stack.enter_context(standing_in()) for _ in range(2)]


def answers(proxy: Api, method: str, number: int) -> list[requests.Response]:
    return [proxy.request(method, "/products/1", json={}) for _ in range(number)]


@CHANGES
def test_a_change_that_a_replica_has_got_is_not_sent_again(
    system: System, replicas: list[StandIn], method: str
) -> None:
    for each in replicas:
        each.hangs_up = True
    proxy = start_proxy(system, *(each.port for each in replicas))

    [answer] = answers(proxy, method, 1)

    assert [*replicas[0].got, *replicas[1].got] == [method]
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/commit-unknown")


@CHANGES
def test_a_change_that_no_replica_has_got_goes_to_the_next_one(
    system: System, replicas: list[StandIn], method: str
) -> None:
    # Nobody listens there; as no other is alive either, it stays in the list.
    replicas[0].is_ready = replicas[0].is_alive = False
    proxy = start_proxy(system, free_port(), replicas[0].port)

    assert [each.status_code for each in answers(proxy, method, 6)] == [200] * 6

    assert replicas[0].got == [method] * 6


def test_a_read_that_one_replica_refuses_goes_to_the_next_one(
    system: System, replicas: list[StandIn]
) -> None:
    replicas[0].status = 503
    proxy = start_proxy(system, *(each.port for each in replicas))

    assert [each.status_code for each in answers(proxy, "GET", 6)] == [200] * 6
    assert len(replicas[0].got) == 3


def test_each_replica_is_told_when_the_first_one_was_asked(system: System, replicas: list[StandIn]) -> None:
    for each in replicas:
        each.status, each.takes_s = 503, 0.1
    proxy = start_proxy(system, *(each.port for each in replicas))

    before = time.time()
    proxy.request("GET", "/products/1", headers={"X-Request-Start": "t=1"})

    [started] = replicas[0].started
    assert replicas[1].started == [started]
    assert float(started.removeprefix("t=")) == pytest.approx(before, abs=60)


def test_the_refusal_of_all_replicas_is_the_apis_own(system: System, replicas: list[StandIn]) -> None:
    for each in replicas:
        each.status = 503
    proxy = start_proxy(system, *(each.port for each in replicas))

    assert [each.json()["number"] for each in answers(proxy, "GET", 6)]


def test_a_change_that_a_replica_refuses_is_not_sent_again(system: System, replicas: list[StandIn]) -> None:
    for each in replicas:
        each.status = 503
    proxy = start_proxy(system, *(each.port for each in replicas))

    answers(proxy, "PUT", 4)

    assert [*replicas[0].got, *replicas[1].got] == ["PUT"] * 4


def test_a_replica_gets_requests_only_while_it_is_ready(system: System, replicas: list[StandIn]) -> None:
    replicas[0].is_ready = False
    proxy = start_proxy(system, *(each.port for each in replicas))

    eventually(lambda: answers_with(proxy, replicas[0]) == 0)
    replicas[0].is_ready = True
    eventually(lambda: answers_with(proxy, replicas[0]) == 2)


def test_while_none_is_ready_those_that_are_alive_get_requests_also_new_ones(
    system: System, replicas: list[StandIn]
) -> None:
    stopping, new = replicas
    new.is_ready = new.is_alive = False
    proxy = start_proxy(system, stopping.port, new.port)
    eventually(lambda: answers_with(proxy, new) == 0)

    stopping.is_ready = stopping.is_alive = False
    new.is_alive = True

    eventually(lambda: answers_with(proxy, new) == 4)


def answers_with(proxy: Api, replica: StandIn) -> int:
    """How many of four requests go to the replica."""
    before = len(replica.got)
    answers(proxy, "GET", 4)
    return len(replica.got) - before
