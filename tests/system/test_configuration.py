"""Programs that cannot start give the reason in one sentence."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.processes.program import HOST, Program
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually

Start = Callable[..., Program]

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


@pytest.fixture
def start(system: System) -> Callable[..., Program]:
    """Starts a program by its name without waiting for it."""
    commands: dict[str, Callable[..., Program]] = {
        "api": lambda **variables: system.productator("serve", **variables),
        "refresher": lambda **variables: system.python("-m", "refresher", **variables),
        "once": lambda **variables: system.python("-m", "refresher", "--once", **variables),
        "simulator": lambda **variables: system.python("-m", "simulator", **variables),
    }
    return lambda name, **variables: commands[name](**variables)


def error_of(program: Program) -> str:
    """The one line that a program printed before it failed."""
    assert program.end() not in {0, None}
    printed = program.printed
    assert "Traceback" not in printed
    return printed


@pytest.mark.parametrize("name", ["api", "refresher", "once"])
def test_an_impossible_value_is_one_sentence(start: Start, name: str) -> None:
    printed = error_of(start(name, PORT="abc"))

    assert printed == "Error: PORT must be a whole number from 0 to 65535, not 'abc'.\n"


def test_an_impossible_port_of_the_simulator_is_one_sentence(start: Start) -> None:
    printed = error_of(start("simulator", SIMULATOR_PORT="abc"))

    assert printed == "simulator: --port or SIMULATOR_PORT must be a port, not 'abc'.\n"


@pytest.mark.parametrize("name", ["api", "refresher", "once"])
def test_an_unknown_key_of_the_file_is_one_sentence(start: Start, name: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.cfg"
    file.write_text((REPOSITORY / "config.cfg").read_text().replace("[api]", "[api]\nprot = 1"))

    printed = error_of(start(name, PRODUCTATOR_CONFIG=str(file), REFRESHER_CONFIG=str(file)))

    assert printed == f"Error: {file}: [api] has no key 'prot'.\n"


NOT_MIGRATED = "it is not migrated, run `productator migrate` (no such table: "


def test_a_database_without_a_schema_says_what_to_run(start: Start, empty_database_url: str) -> None:
    printed = error_of(start("once", DATABASE_URL=empty_database_url))

    assert printed == f"Error: The database cannot be used: {NOT_MIGRATED}refreshes).\n"


def test_a_refresher_that_waits_for_the_schema_says_what_to_run(
    start: Start, empty_database_url: str
) -> None:
    refresher = start("refresher", DATABASE_URL=empty_database_url, REFRESHER_METRICS_PORT="0")

    eventually(lambda: f"{NOT_MIGRATED}refreshes)" in refresher.printed)

    assert refresher.stop() == 0
    assert "Traceback" not in refresher.printed


@pytest.mark.parametrize(
    ("name", "variable"),
    [("api", "PORT"), ("refresher", "REFRESHER_METRICS_PORT"), ("simulator", "SIMULATOR_PORT")],
)
def test_a_port_in_use_is_named(start: Start, name: str, variable: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])

        printed = error_of(start(name, **{variable: port}))

    assert port in printed
    assert "address already in use" in printed.lower()


def test_the_first_line_of_the_log_hides_the_password_of_the_service(system: System) -> None:
    refresher = system.refresher(OFFERS_MS_ADDRESS="http://user:secret@127.0.0.1:9/api/v1")
    eventually(lambda: "from http://127.0.0.1:9/api/v1" in refresher.printed)

    assert "secret" not in refresher.printed


def test_the_api_starts_as_many_processes_as_set(system: System) -> None:
    api = system.api(PRODUCTATOR_PROCESSES="3")

    eventually(lambda: len(api.children) == 3)
