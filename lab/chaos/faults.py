"""Breaks things at random moments: kills refreshers and database servers, and gives the service faults."""

import random
import signal
import time
from collections.abc import Callable, Sequence

import requests

from lab.chaos.plan import Plan
from lab.chaos.servers import Servers
from lab.chaos.watch import Node, Pulse, Watch
from lab.fault_rules import FAULTS
from lab.processes.refresher import Refresher
from lab.processes.simulator import Simulator
from lab.processes.system import System
from productator.domain import utc_now

_STEP_S = 0.05
_LOOK_EVERY_S = 0.25


class Crew:
    """Refreshers, each on one of the servers; who is killed is replaced at once."""

    def __init__(self, system: System, urls: Sequence[str], plan: Plan, chance: random.Random) -> None:
        self._system = system
        self._urls = urls
        self._chance = chance
        self._team = [self._started(number) for number in range(plan.refreshers)]
        # When the ones that work are killed; None: not yet decided.
        self._ends: list[float | None] = [None] * plan.refreshers
        self.kills = 0
        # Exit codes of those that ended by themselves.
        self.deserters: list[int] = []

    @property
    def team(self) -> Sequence[Refresher]:
        return self._team

    def working(self) -> set[int]:
        """The servers that somebody works on."""
        return {number % len(self._urls) for number, end in enumerate(self._ends) if end is not None}

    def step(self, *, kill: bool) -> None:
        for number, refresher in enumerate(self._team):
            if not refresher.is_running:
                self.deserters.append(refresher.end())
                self._replace(number)
            elif self._ends[number] is None:
                if _is_alive(refresher):
                    self._ends[number] = time.monotonic() + self._chance.uniform(0, 8)
            elif kill and time.monotonic() >= (self._ends[number] or 0):
                refresher.stop(signal.SIGKILL)
                self.kills += 1
                self._replace(number)

    def _replace(self, number: int) -> None:
        self._team[number], self._ends[number] = self._started(number), None

    def _started(self, number: int) -> Refresher:
        return self._system.start_refresher(DATABASE_URL=self._urls[number % len(self._urls)])


def _is_alive(refresher: Refresher) -> bool:
    try:
        return requests.get(refresher.url("/livez"), timeout=0.5).ok
    except requests.RequestException:
        return False


class Saboteur:
    """Kills one database server at a time, and starts it again."""

    def __init__(self, servers: Servers, nodes: Sequence[Node], chance: random.Random) -> None:
        self._servers = servers
        self._nodes = nodes
        self._chance = chance
        self._victim: int | None = None
        self._next_at = time.monotonic() + chance.uniform(1, 6)
        self._is_started = True
        self.kills = 0

    def step(self, *, kill: bool) -> None:
        if time.monotonic() < self._next_at:
            return
        if self._victim is None:
            if kill:
                self._victim = self._chance.randrange(len(self._nodes))
                self._servers.kill(self._victim)
                self.kills += 1
                self._is_started = False
                self._next_at = time.monotonic() + self._chance.uniform(0, 3)
        elif not self._is_started:
            self._servers.start(self._victim)
            self._is_started = True
        elif self._nodes[self._victim].rows() is not None:
            self._victim = None
            self._next_at = time.monotonic() + self._chance.uniform(2, 10)

    @property
    def is_done(self) -> bool:
        """Everything is up again."""
        return self._victim is None


class Service:
    """Some kinds of fault at a time, for all products or for some."""

    def __init__(
        self, simulator: Simulator, products: Sequence[str], plan: Plan, chance: random.Random
    ) -> None:
        self._simulator = simulator
        self._products = products
        self._share = plan.fault_share
        self._chance = chance
        self._next_at = 0.0
        self._before = 0
        self.fired = 0

    def step(self, *, strike: bool) -> None:
        if time.monotonic() < self._next_at:
            return
        self.fired = self._before + sum(self._simulator.fired())
        self._before = self.fired
        self._simulator.set_faults(*(self._rules() if strike else []))
        if strike and self._chance.random() < 0.1:
            self._simulator.control("POST", "forget", {"products": self._some(5)})
        self._next_at = time.monotonic() + self._chance.uniform(1, 4)

    def _rules(self) -> list[dict[str, object]]:
        kinds = self._chance.sample(FAULTS, self._chance.randrange(2, 9))
        # Each rule strikes its share of what the ones before it have left.
        shares = [self._share / (len(kinds) - self._share * number) for number in range(len(kinds))]
        rules: list[dict[str, object]] = [
            fault | {"share": share} for fault, share in zip(kinds, shares, strict=True)
        ]
        if self._chance.random() < 0.2:
            rules[0] |= {"products": self._some(len(self._products) // 5), "share": 1}
        return rules

    def _some(self, count: int) -> list[str]:
        return self._chance.sample(list(self._products), count)


class Observer:
    """Looks at the schedule four times a second."""

    def __init__(
        self, nodes: Sequence[Node], pulses: Sequence[Pulse], working: Callable[[], set[int]]
    ) -> None:
        self.watch = Watch()
        self._nodes = nodes
        self._pulses = pulses
        self._working = working
        self._next_at = 0.0

    def step(self) -> None:
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _LOOK_EVERY_S
        able = [number for number in sorted(self._working()) if self._pulses[number].is_felt]
        rows = [self._nodes[number].rows() for number in able]
        usable = [each for each in rows if each is not None]
        if usable:
            self.watch.look(usable[0], utc_now())
        else:
            self.watch.unable(utc_now())


def wreak(
    plan: Plan,
    *,
    crew: Crew,
    saboteur: Saboteur,
    service: Service,
    observer: Observer,
    say: Callable[[str], None],
) -> float:
    """Until everything has been broken as often as planned; returns how long it took."""
    began = told = time.monotonic()
    while time.monotonic() < began + plan.longest_s:
        wanted = (
            crew.kills < plan.refresher_kills,
            saboteur.kills < plan.database_kills,
            service.fired < plan.faults,
        )
        if not any(wanted) and saboteur.is_done:
            break
        crew.step(kill=wanted[0])
        saboteur.step(kill=wanted[1])
        service.step(strike=wanted[2])
        observer.step()
        if time.monotonic() > told + 30:
            told = time.monotonic()
            say(f"{crew.kills} refreshers and {saboteur.kills} servers killed, {service.fired} faults")
        time.sleep(_STEP_S)
    return time.monotonic() - began
