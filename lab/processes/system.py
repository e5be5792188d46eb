"""All programs of one installation as processes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.notifier import Notifier
from lab.processes.program import HOST, Program, free_port, parents_by_pid
from lab.processes.refresher import Refresher
from lab.processes.simulator import Simulator
from lab.waiting import POLL_S, eventually
from simulator.options import DEFAULT_REFRESH_TOKEN

REPOSITORY = Path(__file__).resolve().parents[2]
_PRODUCTATOR = str(Path(sys.executable).parent / "productator")
_STOP_TIMEOUT_S = 20.0
# Every process of a system carries this variable: it identifies them whatever their parent or session is.
_MARK = "PRODUCTATOR_STARTED_BY"
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")

AnyProgram = TypeVar("AnyProgram", bound=Program)


@dataclass
class System:
    """The programs on one database; `variables` are the settings they share."""

    database_url: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    # Where their code is: another version of them is another folder.
    code: Path = REPOSITORY
    programs: list[Program] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: uuid4().hex)

    def environment(self, **variables: str) -> dict[str, str]:
        """The variables of a program; the caller's own settings are left out."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        defaults = {
            "DATABASE_URL": self.database_url,
            "LISTEN_HOST": HOST,
            "PRODUCTATOR_ADMIN_TOKEN": ADMIN_TOKEN,
            "PYTHONUNBUFFERED": "1",
            _MARK: self._mark,
        }
        # It comes before the version that is installed.
        code = {} if self.code == REPOSITORY else {"PYTHONPATH": str(self.code)}
        return kept | defaults | code | self.variables | variables

    def start(
        self, program: type[AnyProgram], *command: str, port: int = 0, environment: Mapping[str, str]
    ) -> AnyProgram:
        """Starts a process in a session of its own: signals to the caller's group do not reach it."""
        name = f"{len(self.programs)}-{program.__name__.lower()}"
        output = self.folder / f"{name}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.code,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = program(name, process, output, port)
        self.programs.append(started)
        return started

    def python(self, *arguments: str, **variables: str) -> Program:
        """Starts Python with these arguments; does not wait."""
        return self.start(Program, sys.executable, *arguments, environment=self.environment(**variables))

    def productator(self, *arguments: str, **variables: str) -> Program:
        """Starts the `productator` command; does not wait."""
        command = [_PRODUCTATOR, *arguments]
        return self.start(Program, *command, environment=self.environment(**variables))

    def simulator(self, *flags: str, generation: int = 1, tick_s: float = 0) -> Simulator:
        """Starts a simulator that all programs started later use; with `tick_s` 0 its market stands still."""
        options = ["--port", str(port := free_port()), "--tick", str(tick_s), "--generation", str(generation)]
        command = [sys.executable, "-m", "simulator", *options, *flags]
        simulator = self.start(Simulator, *command, port=port, environment=self.environment())
        _wait_until_up(simulator, "/control/clock")
        self.variables["OFFERS_MS_ADDRESS"] = simulator.address
        if generation == 2:
            self.variables["OFFERS_MS_REFRESH_TOKEN"] = DEFAULT_REFRESH_TOKEN
        return simulator

    def api(self, **variables: str) -> Api:
        """Starts an API and waits until it is ready."""
        api = self.start_api(**variables)
        _wait_until_up(api, "/readyz")
        return api

    def start_api(self, **variables: str) -> Api:
        """Starts an API, at a free port or the one of `PORT`; does not wait."""
        port = int(variables.setdefault("PORT", str(free_port())))
        environment = self.environment(**variables)
        return self.start(Api, _PRODUCTATOR, "serve", port=port, environment=environment)

    def refresher(self, **variables: str) -> Refresher:
        """Starts a refresher and waits until it is alive."""
        refresher = self.start_refresher(**variables)
        _wait_until_up(refresher, "/livez")
        return refresher

    def start_refresher(self, **variables: str) -> Refresher:
        """Starts a refresher; does not wait."""
        port = free_port()
        environment = self.environment(REFRESHER_METRICS_PORT=str(port), **variables)
        command = [sys.executable, "-m", "refresher"]
        return self.start(Refresher, *command, port=port, environment=environment)

    def notifier(self, **variables: str) -> Notifier:
        """Starts a notifier and waits until it is alive."""
        notifier = self.start_notifier(**variables)
        _wait_until_up(notifier, "/livez")
        return notifier

    def start_notifier(self, **variables: str) -> Notifier:
        """Starts a notifier; does not wait."""
        port = free_port()
        environment = self.environment(NOTIFIER_METRICS_PORT=str(port), **variables)
        return self.start(Notifier, sys.executable, "-m", "notifier", port=port, environment=environment)

    def restart(self, program: Program) -> Program:
        """Stops an API or refresher as its supervisor would, and starts another in its place."""
        exit_code = program.stop()
        assert exit_code == 0, f"{program.name} ended with {exit_code}"
        starts: dict[type[Program], Callable[[], Program]] = {
            Api: self.api,
            Refresher: self.refresher,
        }
        return starts[type(program)]()

    def restart_at_random(self, programs: list[Program], *, chance: random.Random, for_s: float) -> int:
        """Restarts one after the other, in place; returns how many times."""
        deadline = time.monotonic() + for_s
        restarts = 0
        while time.monotonic() < deadline:
            # Nothing is awaited here: the pause makes the moments of the stops differ.
            time.sleep(chance.uniform(0, 2))
            position = chance.randrange(len(programs))
            programs[position] = self.restart(programs[position])
            restarts += 1
        return restarts

    def survivors(self) -> dict[int, str]:
        """The command lines of this system's processes that still exist, by their ids."""
        found = {}
        mark = f"{_MARK}={self._mark}".encode()
        sessions = {program.pid for program in self.programs}
        for pid in parents_by_pid():
            try:
                # uWSGI writes its name over its environment, but stays in the session.
                is_ours = mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if is_ours or os.getsid(pid) in sessions:
                    found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # the process has ended since, or belongs to another user
        return found

    def stop_all(self) -> dict[int, str]:
        """Stops what still runs, last started first; returns the processes that had to be killed."""
        running = [program for program in reversed(self.programs) if program.is_running]
        for program in running:
            program.process.terminate()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        # What reads uWSGI's output is no child of ours, and ends after uWSGI.
        while self.survivors() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        left = self.survivors()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for program in running:
            program.end()
        return left

    def report(self) -> str:
        """The output of every program."""
        return "\n".join(f"---- {program.name}\n{program.printed}" for program in self.programs)


def _wait_until_up(program: Program, path: str) -> None:
    def is_up() -> bool:
        assert program.is_running, f"{program.name} ended at once: {program.printed}"
        return program.answers(path)

    is_up.__doc__ = f"{program.name} answers {path}"
    eventually(is_up)
