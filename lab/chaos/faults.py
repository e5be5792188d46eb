"""Breaks things at random moments: kills workers and database servers, and gives the service faults."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import requests

from lab.chaos.nodes import DatabaseNode
from lab.chaos.plan import Plan
from lab.chaos.servers import DatabaseServers
from lab.chaos.waits import ScheduleObserver
from lab.fault_rules import FAULTS
from lab.processes.notifier import Notifier
from lab.processes.program import Program
from lab.processes.refresher import Refresher
from lab.processes.simulator import Simulator
from lab.waiting import eventually

_STEP_S = 0.05
_REPORT_EVERY_S = 30

Member = TypeVar("Member", bound=Program)


class Team(Generic[Member]):
    """Refreshers or notifiers, each on one of the servers; a killed one is replaced at once."""

    def __init__(
        self, start: Callable[[str], Member], urls: Sequence[str], size: int, chance: random.Random
    ) -> None:
        """`start` starts a member that works on the server of this address, and does not wait."""
        self._start_on = start
        self._urls = urls
        self._chance = chance
        self._members = [self._start(number) for number in range(size)]
        # When each member is killed; None: it is still starting.
        self._kill_at: list[float | None] = [None] * size
        self.kills = 0
        # Exit codes of members that nobody had killed.
        self.unexpected_exits: list[int] = []

    def working(self) -> set[int]:
        """The numbers of the servers that a started member uses."""
        return {number % len(self._urls) for number, at in enumerate(self._kill_at) if at is not None}

    def stop(self) -> list[int]:
        """The exit codes; a member that is still starting does not hear a stop yet."""
        eventually(lambda: all(_is_alive(each) or not each.is_running for each in self._members))
        return [member.stop() for member in self._members]

    def step(self, *, kill: bool) -> None:
        for number, member in enumerate(self._members):
            kill_at = self._kill_at[number]
            if not member.is_running:
                self.unexpected_exits.append(member.end())
                self._replace(number)
            elif kill_at is None:
                if _is_alive(member):
                    self._kill_at[number] = time.monotonic() + self._chance.uniform(0, 8)
            elif kill and time.monotonic() >= kill_at:
                member.stop(signal.SIGKILL)
                self.kills += 1
                self._replace(number)

    def _replace(self, number: int) -> None:
        self._members[number], self._kill_at[number] = self._start(number), None

    def _start(self, number: int) -> Member:
        return self._start_on(self._urls[number % len(self._urls)])


def _is_alive(member: Program) -> bool:
    try:
        return requests.get(member.url("/livez"), timeout=0.5).ok
    except requests.RequestException:
        return False


class ServerKiller:
    """Kills one database server at a time, and starts it again."""

    def __init__(
        self, servers: DatabaseServers, nodes: Sequence[DatabaseNode], chance: random.Random
    ) -> None:
        self._servers = servers
        self._nodes = nodes
        self._chance = chance
        self._down: int | None = None
        self._next_at = time.monotonic() + chance.uniform(1, 6)
        self._is_started = True
        self.kills = 0

    def step(self, *, kill: bool) -> None:
        if time.monotonic() < self._next_at:
            return
        if self._down is None:
            if kill:
                self._down = self._chance.randrange(len(self._nodes))
                self._servers.kill(self._down)
                self.kills += 1
                self._is_started = False
                self._next_at = time.monotonic() + self._chance.uniform(0, 3)
        elif not self._is_started:
            self._servers.start(self._down)
            self._is_started = True
        elif self._nodes[self._down].schedule() is not None:
            self._down = None
            self._next_at = time.monotonic() + self._chance.uniform(2, 10)

    @property
    def are_all_up(self) -> bool:
        return self._down is None


class ServiceFaults:
    """Gives the service a few faults at a time, for all products or for some."""

    def __init__(
        self, simulator: Simulator, products: Sequence[str], plan: Plan, chance: random.Random
    ) -> None:
        self._simulator = simulator
        self._products = products
        self._share = plan.fault_share
        self._chance = chance
        self._next_at = 0.0
        self.fired = 0

    def step(self, *, strike: bool) -> None:
        if time.monotonic() < self._next_at:
            return
        self.fired += sum(self._simulator.fired())
        self._simulator.set_faults(*(self._rules() if strike else []))
        if strike and self._chance.random() < 0.1:
            self._simulator.control("POST", "forget", {"products": self._some(5)})
        self._next_at = time.monotonic() + self._chance.uniform(1, 4)

    def _rules(self) -> list[dict[str, object]]:
        faults = self._chance.sample(FAULTS, self._chance.randrange(2, 9))
        # Each rule strikes its share of the calls that the rules before it have left.
        shares = [self._share / (len(faults) - self._share * number) for number in range(len(faults))]
        rules: list[dict[str, object]] = [
            fault | {"share": share} for fault, share in zip(faults, shares, strict=True)
        ]
        if self._chance.random() < 0.2:
            rules[0] |= {"products": self._some(len(self._products) // 5), "share": 1}
        return rules

    def _some(self, count: int) -> list[str]:
        return self._chance.sample(list(self._products), count)


@dataclass(frozen=True)
class Disturbances:
    """Everything that breaks something, and the observer that looks on."""

    refreshers: Team[Refresher]
    notifiers: Team[Notifier]
    servers: ServerKiller
    service: ServiceFaults
    observer: ScheduleObserver

    def run(self, plan: Plan, say: Callable[[str], None]) -> float:
        """Until everything has been broken as often as planned; returns how long that took."""
        began = reported = time.monotonic()
        while time.monotonic() < began + plan.longest_s:
            kill_refreshers = self.refreshers.kills < plan.refresher_kills
            kill_notifiers = self.notifiers.kills < plan.notifier_kills
            kill_servers = self.servers.kills < plan.database_kills
            strike = self.service.fired < plan.faults
            is_more = kill_refreshers or kill_notifiers or kill_servers or strike
            if not is_more and self.servers.are_all_up:
                break
            self.refreshers.step(kill=kill_refreshers)
            self.notifiers.step(kill=kill_notifiers)
            self.servers.step(kill=kill_servers)
            self.service.step(strike=strike)
            self.observer.step()
            if time.monotonic() > reported + _REPORT_EVERY_S:
                reported = time.monotonic()
                say(self.counts())
            time.sleep(_STEP_S)
        return time.monotonic() - began

    def counts(self) -> str:
        return (
            f"{self.refreshers.kills} refreshers, {self.notifiers.kills} notifiers and"
            f" {self.servers.kills} database servers killed with -9,"
            f" {self.service.fired} faults of the service"
        )
