"""A new user's first commands: `make run` in a terminal and its curl; and `python -m refresher --once`."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.catalogue import Catalogue
from lab.processes.program import HOST, Program, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

# Takes control of the terminal on standard input, so that Ctrl-C becomes a signal, and then runs the command.
_IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program whose input and output are a terminal."""

    def __init__(self, command: list[str], environment: dict[str, str], output: Path) -> None:
        self._ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, *command],
            cwd=REPOSITORY,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.program = Program("terminal", process, output)
        self._reader = threading.Thread(target=self._copy)
        self._reader.start()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> int:
        exit_code = self.program.end()
        self._reader.join(PATIENCE_S)
        os.close(self._ours)
        return exit_code

    def _copy(self) -> None:
        with self.program.output.open("wb", buffering=0) as output:
            try:
                while piece := os.read(self._ours, 65536):
                    output.write(piece)
            except OSError:
                return  # the last process that had the terminal open has ended


def in_terminal(system: System, *command: str, **variables: str) -> Terminal:
    environment = system.environment(TERM="xterm", **variables)
    terminal = Terminal(list(command), environment, system.folder / "terminal.txt")
    terminal.program.output.touch()
    system.programs.append(terminal.program)
    return terminal


_PORTS = ("PORT", "SIMULATOR_PORT", "REFRESHER_METRICS_PORT", "NOTIFIER_METRICS_PORT")


@pytest.fixture
def ports() -> dict[str, str]:
    return {name: str(free_port()) for name in _PORTS}


def test_make_run_shows_products_with_offers_until_ctrl_c(
    system: System, ports: dict[str, str], tmp_path: Path
) -> None:
    system.database_url = f"sqlite:///{tmp_path / 'run.db'}"
    terminal = in_terminal(system, "make", "run", **ports, PRODUCTATOR_ADMIN_TOKEN="")
    shown = eventually(
        lambda: re.search(r"^\s*(curl -s '[^']+' \| .+?)\s*$", terminal.program.printed, re.MULTILINE)
    )

    offers = eventually(lambda: refreshed_offers(shown[1]), within_s=2 * PATIENCE_S)
    asked = refresh_asked_for(terminal.program.printed)
    terminal.type(b"\x03")

    assert all(offer["source"] == "external" for offer in offers["items"])
    assert f"http://{HOST}:{ports['PORT']}/api/v1/products" in terminal.program.printed
    assert asked["product_id"] == 1
    assert len(re.findall("pt_", terminal.program.printed)) == 1
    # Like every program that Ctrl-C ends, make may exit with the signal.
    assert terminal.end() in {0, -signal.SIGINT}
    assert "Error" not in terminal.program.printed
    assert "Traceback" not in terminal.program.printed
    assert system.survivors() == {}
    assert [name for name, port in ports.items() if is_taken(int(port))] == []


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def refreshed_offers(curl: str) -> dict[str, list[dict[str, str]]] | None:
    """The answer to the command as it was printed, once the product has been refreshed."""
    done = subprocess.run(["sh", "-c", curl], capture_output=True, check=False)
    if done.returncode:
        return None
    answer: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return answer if answer.get("refreshed_at") else None


def refresh_asked_for(printed: str) -> dict[str, object]:
    """The answer to the other command, run in a shell after the line with the token."""
    lines = re.findall(r"^\s*(export TOKEN=\S+|curl -s -X POST .+?)\s*$", printed, re.MULTILINE)
    done = subprocess.run(["sh", "-ec", "\n".join(lines)], capture_output=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.fixture
def products(catalogue: Catalogue) -> int:
    catalogue.add_products(20)
    return 20


def test_once_refreshes_due_products(system: System, catalogue: Catalogue, products: int) -> None:
    simulator = system.simulator()

    once = system.python("-m", "refresher", "--once")

    assert once.end() == 0
    assert catalogue.listings() == {each: simulator.truth(each) for each in catalogue.listings()}
    assert catalogue.count_claims() == 0
    assert "[####" not in once.printed


def test_once_fails_when_a_product_failed(system: System, catalogue: Catalogue, products: int) -> None:
    simulator = system.simulator()
    failing = next(iter(catalogue.listings()))
    simulator.set_faults({"kind": "status", "calls": ["offers"], "products": [failing]})

    once = system.python("-m", "refresher", "--once")

    assert once.end() == 1
    assert "Products refreshed: 19; failed: 1." in once.printed
    assert f"Failed for 1 products at {simulator.address}: The Offers service answered 503" in once.printed


@pytest.mark.parametrize("few", [1, 20])
def test_once_says_that_the_service_cannot_be_reached(system: System, catalogue: Catalogue, few: int) -> None:
    catalogue.add_products(few)
    once = system.python(
        "-m", "refresher", "--once", OFFERS_MS_ADDRESS="http://user:secret@127.0.0.1:9/api/v1"
    )

    assert once.end() == 1
    assert "products at http://127.0.0.1:9/api/v1: The Offers service did not answer: Failed" in once.printed
    assert ("not tried: the Offers service is down" in once.printed) == (few > 4)
    assert "secret" not in once.printed


def test_once_says_why_there_is_no_access_token(system: System, products: int) -> None:
    simulator = system.simulator()
    simulator.set_faults(
        {"kind": "redirect", "calls": ["auth"], "location": "https://elsewhere.example/login"}
    )
    once = system.python("-m", "refresher", "--once")

    assert once.end() == 1
    assert (
        "302, a redirect to https://elsewhere.example/login, when asking for an access token" in once.printed
    )
    assert "up again" not in once.printed


def test_once_shows_its_progress_in_a_terminal(system: System, products: int) -> None:
    system.simulator()

    terminal = in_terminal(system, sys.executable, "-m", "refresher", "--once")

    assert terminal.end() == 0
    assert "[####" in terminal.program.printed
    assert "100%" in terminal.program.printed
