"""The `productator` command outside of the checkout, and on databases that are not there."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from productator.cli import main
from productator.config.settings import SETTINGS

IMPORT = ["products", "import", "products.csv"]
DATABASE_COMMANDS = [
    IMPORT,
    ["products", "export"],
    ["products", "export", "--output", "out.csv"],
    ["products", "history", "1"],
    ["tokens", "create", "shop", "--scope", "read"],
    ["tokens", "list"],
    ["tokens", "revoke", "1"],
    ["demo"],
]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder of its own, which holds a file to import and no config file."""
    monkeypatch.chdir(tmp_path)
    for variable in ["PRODUCTATOR_CONFIG", *(setting.variable for setting in SETTINGS.values())]:
        monkeypatch.delenv(variable, raising=False)
    tmp_path.joinpath("products.csv").write_text("name\nKettle\n")
    return lambda *command, **variables: CliRunner().invoke(main, command, env=variables)


@pytest.mark.parametrize("command", DATABASE_COMMANDS, ids=" ".join)
def test_on_a_database_without_a_schema_a_command_says_what_to_run(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    tmp_path.joinpath("empty.db").touch()

    result = run(*command, DATABASE_URL="sqlite:///empty.db")

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: The database cannot be used: it is not migrated, run `productator migrate` (no such table: "
    )
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", DATABASE_COMMANDS, ids=" ".join)
def test_a_database_file_that_is_missing_is_named_and_stays_missing(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    result = run(*command, DATABASE_URL="sqlite:///nowhere/mistyped.db")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The database cannot be used: unable to open database file: there is none at"
        f" {tmp_path}/nowhere/mistyped.db. Correct DATABASE_URL, or create the database with"
        " `productator migrate`.\n"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["products.csv"]


def test_a_database_that_cannot_be_created_is_one_sentence(run: Run) -> None:
    result = run("migrate", DATABASE_URL="sqlite:///products.csv/x.db")

    assert result.exit_code == 1
    assert result.output.startswith("Error: Could not open file")


def test_the_demo_names_the_addresses_of_the_settings(run: Run) -> None:
    run("migrate")

    printed = run("demo", PORT="6806", REFRESHER_METRICS_PORT="6808").output

    assert "http://127.0.0.1:6806/docs" in printed
    assert "http://127.0.0.1:6808/metrics" in printed


def test_the_demo_names_no_metrics_where_there_are_none(run: Run) -> None:
    run("migrate")

    assert "metrics" not in run("demo", REFRESHER_METRICS_PORT="0").output


def test_a_wait_of_less_than_no_time_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("migrate", "--wait", "-3", DATABASE_URL="sqlite:///new.db")

    assert result.exit_code == 2
    assert "Invalid value for '--wait'" in result.output
    assert not tmp_path.joinpath("new.db").exists()


@pytest.mark.parametrize("command", [["migrate"], *DATABASE_COMMANDS, ["dump"], ["openapi"]], ids=" ".join)
def test_a_command_needs_no_config_file(run: Run, command: list[str]) -> None:
    for needed in (["migrate"], ["demo"], ["tokens", "create", "x", "--scope", "read"]):
        assert run(*needed).exit_code == 0

    result = run(*command)

    assert result.exit_code == 0, result.output


def test_without_the_packages_of_the_api_the_command_says_where_it_runs() -> None:
    as_in_the_refreshers_image = "import sys; sys.modules['flask'] = None; import productator.cli"

    command = subprocess.run(
        [sys.executable, "-c", as_in_the_refreshers_image], capture_output=True, text=True, check=False
    )

    assert command.returncode == 1
    assert command.stderr.startswith("Error: The `productator` command needs the API's packages")
    assert len(command.stderr.splitlines()) == 1
