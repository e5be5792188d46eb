"""The simulator as a program: options, start and end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import simulator as package
from simulator.options import Options, read_options
from tests.simulator.conftest import PATIENCE_S, running_simulator


def outcome_of(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", *flags]
    return subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_without_options_the_defaults_apply() -> None:
    assert read_options([], {}) == Options(
        port=6607,
        host="127.0.0.1",
        generation=1,
        seed=1,
        tick=15,
        token_lifetime=300,
        refresh_token="5a0b1c2d-3e4f-4a5b-8c6d-7e8f90a1b2c3",
        offers=6,
        offers_exactly=None,
    )


def test_a_flag_wins_over_its_variable() -> None:
    options = read_options(["--port", "1"], {"SIMULATOR_PORT": "2", "SIMULATOR_SEED": "3"})

    assert (options.port, options.seed) == (1, 3)


def test_an_empty_variable_counts_as_not_given() -> None:
    assert read_options([], {"SIMULATOR_REFRESH_TOKEN": ""}) == read_options([], {})


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--port", "x"], {}, "--port or SIMULATOR_PORT must be a port, not 'x'."),
        ([], {"SIMULATOR_PORT": "70000"}, "--port or SIMULATOR_PORT must be a port, not '70000'."),
        (["--generation", "3"], {}, "--generation or SIMULATOR_GENERATION must be 1 or 2, not '3'."),
        (["--tick", "-1"], {}, "--tick or SIMULATOR_TICK must be seconds, 0 or more, not '-1'."),
        (["--tick", "nan"], {}, "--tick or SIMULATOR_TICK must be seconds, 0 or more, not 'nan'."),
        (["--refresh-token", ""], {}, "--refresh-token or SIMULATOR_REFRESH_TOKEN must be a UUID, not ''."),
        (["--colour", "red"], {}, "unrecognized arguments: --colour red."),
    ],
)
def test_a_wrong_option_ends_with_one_sentence(
    arguments: list[str], environment: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        read_options(arguments, environment)

    assert end.value.code == 2
    assert capsys.readouterr().err == f"simulator: {sentence}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_although_clients_are_waiting(number: signal.Signals) -> None:
    with running_simulator() as simulator, socket.create_connection(("127.0.0.1", simulator.port)) as waiting:
        simulator.set_faults({"kind": "timeout"})
        waiting.sendall(b"POST /api/v1/auth HTTP/1.1\r\nHost: simulator\r\n\r\n")
        while not simulator.log():
            pass

        simulator.process.send_signal(number)
        printed = simulator.process.communicate(timeout=PATIENCE_S)

        assert simulator.process.returncode == 0
        assert printed == ("", "")


def test_it_says_where_it_listens() -> None:
    with running_simulator("--generation", "2", LISTEN_HOST="127.0.0.2") as simulator:
        assert simulator.address == f"http://127.0.0.2:{simulator.port}/api/v1"


def test_a_wrong_option_ends_the_process_with_status_2() -> None:
    ended = outcome_of(SIMULATOR_GENERATION="3")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "simulator: --generation or SIMULATOR_GENERATION must be 1 or 2, not '3'.\n"


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = outcome_of("--port", str(taken.getsockname()[1]))

    assert ended.returncode == 1
    assert ended.stderr.startswith("simulator: cannot listen at 127.0.0.1:")
    assert ended.stderr.count("\n") == 1


def test_it_imports_no_other_program() -> None:
    sources = [file.read_text() for file in Path(package.__path__[0]).glob("*.py")]

    assert not [
        line
        for text in sources
        for line in text.splitlines()
        if line.startswith(("from productator", "import productator", "from refresher", "import refresher"))
    ]
