"""`productator alerts`: commands and their output."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from productator import cli
from tests import factories

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `productator alerts ...` on the test's database."""
    monkeypatch.chdir(ROOT)
    environment = {"DATABASE_URL": database_url, "PRODUCTATOR_CONFIG": ""}
    return lambda *arguments: CliRunner().invoke(cli.main, ["alerts", *arguments], env=environment)


def test_a_rule_is_created_listed_and_deleted(run: Run, sessions: sessionmaker[Session]) -> None:
    product = factories.stored_product(sessions, name="Hand mill")
    created = run("create", "threshold", "--product", str(product), "--price", "4990")
    sentence = "Tell nobody yet when Hand mill is at or below 4,990."
    assert created.stdout.endswith(f": {sentence}\n"), created.output
    rule_id = created.stdout.partition(":")[0]

    assert run("list").stdout.split(maxsplit=2) == [rule_id, "armed", f"{sentence}\n"]
    assert run("delete", rule_id).stdout == f"Rule {rule_id} is deleted.\n"
    assert run("list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "threshold"], "price: A rule has a price if, and only if, its kind is `threshold`."),
        (["create", "drop", "--percent", "0"], "percent: Input should be greater than 0."),
        (["create", "out_of_stock", "--channel", "7"], "channel_ids/0: There is no channel 7."),
        (["delete", "7"], "There is no alert rule 7."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)

    assert (result.exit_code, result.stderr) == (1, f"Error: {said}\n")
