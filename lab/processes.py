"""The real programs as processes: started on free ports, watched, and stopped by their own process ids."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import requests
from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from productator.catalogue import products
from productator.domain import NewProduct, utc_now
from productator.models import Offer, Product, Refresh
from simulator.options import DEFAULT_REFRESH_TOKEN

REPOSITORY = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
# What the APIs of a system are given, and asked with.
ADMIN_TOKEN = "token-of-the-system-tests"
# Far beyond what anything takes on a quiet machine.
PATIENCE_S = 60.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
# Every process of a test carries this variable, so that none can hide, whatever its parent or session is.
_MARK = "PRODUCTATOR_STARTED_BY"
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")

Found = TypeVar("Found")
_PRODUCTATOR = str(Path(sys.executable).parent / "productator")
NEVER = datetime.min.replace(tzinfo=UTC)
# A product's offers: (id at the Offers service, price, items in stock).
Listing = frozenset[tuple[str, int, int]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Found | None], *, within_s: float = PATIENCE_S) -> Found:
    """What the condition returns once that is true; what it is waiting for is its name."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {_named(condition)}")
        time.sleep(_POLL_S)
    return found


def _named(condition: object) -> str:
    return str(getattr(condition, "__doc__", None) or getattr(condition, "__qualname__", condition))


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=PATIENCE_S).ok
    except requests.ConnectionError:
        return False


@dataclass
class Program:
    """A started process; its output goes to a file."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    port: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def children(self) -> set[int]:
        """Its child processes now."""
        return {pid for pid, parent in _parents().items() if parent == self.pid}

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal to this process alone; returns its exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        return self.process.wait(PATIENCE_S)

    def metric(self, name: str) -> float:
        """A figure of /metrics, such as `productator_refresher_refreshes_total{outcome="refreshed"}`."""
        text = requests.get(self.url("/metrics"), timeout=PATIENCE_S).text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


def _parents() -> dict[int, int]:
    """The parent of every process, by their ids."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name before it, in parentheses, may hold anything.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended since
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    return parents


@dataclass
class Simulator(Program):
    """The Offers service stand-in, and what its control tells."""

    _known: dict[tuple[str, int], Listing] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        return self.url("/api/v1")

    def control(self, method: str, path: str, content: Any = None) -> Any:
        url = self.url(f"/control/{path}")
        response = requests.request(method, url, json=content, timeout=PATIENCE_S)
        response.raise_for_status()
        return response.json() if response.content else None

    def set_faults(self, *rules: dict[str, Any]) -> None:
        self.control("PUT", "faults", list(rules))

    def fired(self) -> list[int]:
        """How often each rule in force has struck."""
        return [rule["fired"] for rule in self.control("GET", "faults")]

    def log(self, call: str | None = None) -> list[dict[str, Any]]:
        text = requests.get(self.url("/control/log"), timeout=PATIENCE_S).text
        entries = (json.loads(line) for line in text.splitlines())
        return [entry for entry in entries if call in {None, entry["call"]}]

    def truth(self, remote_id: str, tick: int | None = None) -> Listing:
        """The offers of a product at a tick (None: now), whatever the faults are."""
        if tick is None:
            tick = self.control("GET", "clock")["tick"]
        if (remote_id, tick) not in self._known:
            offers = self.control("GET", f"products/{remote_id}/offers?tick={tick}")["offers"]
            self._known[remote_id, tick] = frozenset(
                (str(each["id"]), each["price"], each["items_in_stock"]) for each in offers
            )
        return self._known[remote_id, tick]

    def shown(self) -> dict[str, set[Listing]]:
        """All that clients could rightly read so far, for each product."""
        ticks: dict[str, set[int]] = defaultdict(set)
        shown: dict[str, set[Listing]] = defaultdict(set)
        for entry in self.log("offers"):
            if "tick" in entry:
                ticks[entry["product"]].add(entry["tick"])
            elif entry["fault"] == "empty":
                shown[entry["product"]].add(frozenset())
        for remote_id, of_product in ticks.items():
            shown[remote_id] |= {self.truth(remote_id, tick) for tick in of_product}
        return shown


class Api(Program):
    """uWSGI's master with its workers."""

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"} | options.pop("headers", {})
        url = self.url(f"/api/v1{path}")
        return requests.request(method, url, headers=headers, timeout=PATIENCE_S, **options)

    def posted(self, **product: str) -> dict[str, Any]:
        response = self.request("POST", "/products", json={"name": "Espresso machine"} | product)
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json()
        return body

    def listing(self, product_id: int) -> Listing:
        """The offers of a product as a client sees them."""
        items = self.request("GET", f"/products/{product_id}/offers").json()["items"]
        return frozenset((each["external_id"], each["price"], each["items_in_stock"]) for each in items)


class Refresher(Program):
    """A worker with its probes."""

    @property
    def refreshed(self) -> float:
        return self.metric('productator_refresher_refreshes_total{outcome="refreshed"}')


AnyProgram = TypeVar("AnyProgram", bound=Program)


@dataclass
class System:
    """The programs on one database; `variables` are the settings they share."""

    database_url: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: uuid4().hex)

    def environment(self, **variables: str) -> dict[str, str]:
        """Nothing of the caller's settings takes part."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        defaults = {
            "DATABASE_URL": self.database_url,
            "LISTEN_HOST": HOST,
            "PRODUCTATOR_ADMIN_TOKEN": ADMIN_TOKEN,
            "PYTHONUNBUFFERED": "1",
            _MARK: self._mark,
        }
        return kept | defaults | self.variables | variables

    def start(
        self, kind: type[AnyProgram], *command: str, port: int = 0, environment: Mapping[str, str]
    ) -> AnyProgram:
        """A process in a session of its own: signals to this one's group do not reach it."""
        name = f"{len(self.programs)}-{kind.__name__.lower()}"
        output = self.folder / f"{name}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = kind(name, process, output, port)
        self.programs.append(program)
        return program

    def python(self, *arguments: str, **variables: str) -> Program:
        """A program that is not waited for."""
        return self.start(Program, sys.executable, *arguments, environment=self.environment(**variables))

    def productator(self, *arguments: str, **variables: str) -> Program:
        """The console script, not waited for."""
        command = [_PRODUCTATOR, *arguments]
        return self.start(Program, *command, environment=self.environment(**variables))

    def simulator(self, *flags: str, generation: int = 1, tick_s: float = 0) -> Simulator:
        """All other programs are pointed to it; its market stands still unless told otherwise."""
        options = ["--port", str(port := free_port()), "--tick", str(tick_s), "--generation", str(generation)]
        command = [sys.executable, "-m", "simulator", *options, *flags]
        simulator = self.start(Simulator, *command, port=port, environment=self.environment())
        self._wait_until_up(simulator, "/control/clock")
        self.variables["OFFERS_MS_ADDRESS"] = simulator.address
        if generation == 2:
            self.variables["OFFERS_MS_REFRESH_TOKEN"] = DEFAULT_REFRESH_TOKEN
        return simulator

    def api(self, **variables: str) -> Api:
        port = free_port()
        environment = self.environment(PORT=str(port), **variables)
        api = self.start(Api, _PRODUCTATOR, "serve", port=port, environment=environment)
        self._wait_until_up(api, "/readyz")
        return api

    def refresher(self, **variables: str) -> Refresher:
        refresher = self.starting_refresher(**variables)
        self._wait_until_up(refresher, "/livez")
        return refresher

    def starting_refresher(self, **variables: str) -> Refresher:
        """One that is not waited for."""
        port = free_port()
        environment = self.environment(REFRESHER_METRICS_PORT=str(port), **variables)
        command = [sys.executable, "-m", "refresher"]
        return self.start(Refresher, *command, port=port, environment=environment)

    def restart(self, program: AnyProgram) -> AnyProgram:
        """Stops an API or refresher as its supervisor would, and starts another in its place."""
        exit_code = program.stop()
        assert exit_code == 0, f"{program.name} ended with {exit_code}"
        starts: dict[type[Program], Callable[[], Any]] = {Api: self.api, Refresher: self.refresher}
        started: AnyProgram = starts[type(program)]()
        return started

    def restart_at_random(self, programs: list[Program], *, chance: random.Random, for_s: float) -> int:
        """Restarts one after the other, in place; returns how many times."""
        deadline = time.monotonic() + for_s
        restarts = 0
        while time.monotonic() < deadline:
            # Not a time that anything is waited for: it makes the moments of the stops differ.
            time.sleep(chance.uniform(0, 2))
            position = chance.randrange(len(programs))
            programs[position] = self.restart(programs[position])
            restarts += 1
        return restarts

    def _wait_until_up(self, program: Program, path: str) -> None:
        def is_up() -> bool:
            assert program.is_running, f"{program.name} ended at once: {program.printed}"
            return answers(program.url(path))

        is_up.__doc__ = f"{program.name} answers {path}"
        eventually(is_up)

    def survivors(self) -> dict[int, str]:
        """Processes of this system that still exist, with their command lines."""
        found = {}
        mark = f"{_MARK}={self._mark}".encode()
        sessions = {program.pid for program in self.programs}
        for pid in _parents():
            try:
                # uWSGI writes its name over its environment, but stays in the session.
                is_ours = mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if is_ours or os.getsid(pid) in sessions:
                    found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has ended since, or belongs to somebody else
        return found

    def stop_all(self) -> dict[int, str]:
        """Stops what still runs, last started first; returns what did not go, which is then killed."""
        running = [program for program in reversed(self.programs) if program.is_running]
        for program in running:
            program.process.terminate()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while any(program.is_running for program in running) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        left = self.survivors()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for program in running:
            program.end()
        return left

    def report(self) -> str:
        """What every program printed."""
        return "\n".join(f"---- {program.name}\n{program.printed}" for program in self.programs)


@dataclass(frozen=True)
class Catalogue:
    """What the database holds, read past the programs."""

    engine: Engine

    def add_products(self, count: int, *, over_s: float = 0) -> None:
        """New products in one transaction, all due now or one after the other."""
        now, apart = utc_now(), timedelta(seconds=over_s / count)
        with sessionmaker(self.engine).begin() as session:
            for number in range(count):
                products.create(session, NewProduct(f"Product {number}", ""), now=now + number * apart)

    def remote_ids(self) -> dict[int, str]:
        return dict(self._rows(select(Product.id, Product.remote_id).order_by(Product.id)))

    def listings(self) -> dict[str, Listing]:
        """The stored external offers of every product, by its id at the Offers service."""
        found: dict[str, list[tuple[str, int, int]]] = {each: [] for each in self.remote_ids().values()}
        query = select(Product.remote_id, Offer.remote_id, Offer.price, Offer.items_in_stock)
        for product, *offer in self._rows(query.join(Offer, Offer.product_id == Product.id)):
            found[product].append(tuple(offer))
        return {product: frozenset(offers) for product, offers in found.items()}

    def held(self) -> int:
        """How many products are claimed."""
        return len(self._rows(select(Refresh.product_id).where(Refresh.claim_token.is_not(None))))

    def latest_due(self) -> datetime:
        due: list[datetime] = [due_at for (due_at,) in self._rows(select(Refresh.due_at))]
        return max(due)

    def stale_since(self, time: datetime) -> list[int]:
        """The products not refreshed after that time."""
        rows = self._rows(select(Refresh.product_id, Refresh.refreshed_at))
        return [product_id for product_id, refreshed_at in rows if not refreshed_at or refreshed_at <= time]

    def _rows(self, query: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


def periods_between_reads(times: Mapping[str, list[float]], period_s: float) -> Counter[int]:
    """In whole periods: 0 when a product was read twice in half of one, 2 when a period was left out."""
    gaps = (later - earlier for each in times.values() for earlier, later in pairwise(each))
    return Counter(round(gap / period_s) for gap in gaps)


def wrongly_stored(simulator: Simulator, catalogue: Catalogue) -> dict[str, Listing]:
    """Products with stored offers that the service never rightly showed."""
    stored = catalogue.listings()
    shown = simulator.shown()
    return {product: offers for product, offers in stored.items() if offers not in shown[product]}


def reads_by_product(log: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """When each product's offers were asked for."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in log:
        if entry["call"] == "offers":
            times[entry["product"]].append(entry["time"])
    return times


# Each kind of fault, short enough for tests, as the fields of a rule.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "seconds": 0.5},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "timeout"},
    {"kind": "reset"},
    {"kind": "close"},
    {"kind": "drip", "seconds": 0.5},
    {"kind": "drip_headers", "seconds": 0.5},
    {"kind": "truncated"},
    {"kind": "invalid_json"},
    {"kind": "html"},
    {"kind": "wrong_shape"},
    {"kind": "wrong_types", "as": "string"},
    {"kind": "wrong_types", "as": "null"},
    {"kind": "negative", "field": "items_in_stock"},
    {"kind": "huge"},
    {"kind": "missing_field", "field": "id"},
    {"kind": "duplicate_ids"},
    {"kind": "empty"},
    {"kind": "extra_fields"},
    {"kind": "oversized", "size": 6_000_000},
    {"kind": "unauthorized"},
    {"kind": "too_many", "retry_after": 1},
    {"kind": "redirect"},
    {"kind": "unregistered"},
)
