"""One started process, and the table of all processes of this machine."""

import re
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from lab.waiting import PATIENCE_S

HOST = "127.0.0.1"


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
        """The ids of its child processes now."""
        return {pid for pid, parent in parents_by_pid().items() if parent == self.pid}

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def answers(self, path: str) -> bool:
        """Whether a request to this path succeeds."""
        try:
            return requests.get(self.url(path), timeout=PATIENCE_S).ok
        except requests.ConnectionError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal to this process alone; returns its exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        return self.process.wait(PATIENCE_S)

    def metric(self, name: str) -> float:
        """A figure of /metrics: `productator_refresher_refreshes_total{outcome="refreshed"}`."""
        text = requests.get(self.url("/metrics"), timeout=PATIENCE_S).text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def parents_by_pid() -> dict[int, int]:
    """The parent of every process that exists and is no zombie."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name stands before, in parentheses, and may contain any character.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue  # the process has ended since
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    return parents
