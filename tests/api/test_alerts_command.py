"""`productator alerts`: commands and their output."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from productator import cli
from productator.alerts.sealing import Seal
from productator.domain import utc_now
from productator.models import Channel, Delivery
from tests import factories
from tests.web.alerts import disabled_channel, stored_channel

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


def test_a_rule_is_muted_and_no_longer(run: Run, sessions: sessionmaker[Session]) -> None:
    del sessions
    rule_id = run("create", "stale").stdout.partition(":")[0]
    until = utc_now() + timedelta(days=30)

    assert f"Rule {rule_id} is muted until {until:%Y-%m-%d}" in run("mute", rule_id, "--days", "30").stdout
    assert run("list").stdout.split()[1] == "muted"
    assert run("unmute", rule_id).stdout == f"Rule {rule_id} is not muted.\n"
    assert run("list").stdout.split()[1] == "armed"


@pytest.mark.parametrize("listing", [("list",), ("channels", "list")])
def test_a_list_of_several_pages_is_read_with_one_engine(
    run: Run, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, listing: tuple[str, ...]
) -> None:
    for _ in range(3):
        stored_channel(sessions)
        run("create", "stale")
    for module in ("productator.cli.alerts", "productator.cli.channels"):
        # The package has a command of the same name.
        monkeypatch.setattr(import_module(module), "_A_READ", 1)
    with patch("productator.database.engine.create_engine", wraps=create_engine) as made:
        lines = run(*listing).stdout.splitlines()

    assert len(lines) == 3
    assert made.call_count == 1


def test_what_is_true_already_is_told_if_wished(run: Run, sessions: sessionmaker[Session]) -> None:
    product = factories.stored_product(sessions, name="Hand mill")
    channel = stored_channel(sessions)
    arguments = ("create", "out_of_stock", "--product", str(product), "--channel", str(channel))
    run(*arguments)
    with sessions() as session:
        assert session.scalars(select(Delivery)).all() == []
    run(*arguments, "--tell-now")

    with sessions() as session:
        assert [each.channel_id for each in session.scalars(select(Delivery))] == [channel]


def test_channels_are_listed_with_how_they_do(run: Run, sessions: sessionmaker[Session]) -> None:
    stored_channel(sessions, last_success_at=factories.NOW)
    disabled_channel(sessions, name="Shop")
    stored_channel(sessions, name="Phone", kind="ntfy", failing_since=factories.NOW)
    working, disabled, failing = run("channels", "list").stdout.splitlines()

    assert working.split()[1:] == ["webhook", "works", "2026-11-23", "12:00", "Ops"]
    assert disabled.split(maxsplit=5)[2:] == [
        "disabled",
        "never",
        "Shop",
        "Every try has failed for five days.",
    ]
    assert failing.split()[1:3] == ["ntfy", "failing"]


def test_a_channel_is_tested_as_on_the_page(run: Run, sessions: sessionmaker[Session]) -> None:
    channel = stored_channel(sessions)
    said = run("channels", "test", str(channel)).stdout

    with sessions() as session:
        (delivery,) = session.scalars(select(Delivery))
    assert said == f"Delivery {delivery.id} is on its way; the notifier sends it.\n"
    assert (delivery.channel_id, delivery.status) == (channel, "pending")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "threshold"], "price: A rule has a price if, and only if, its kind is `threshold`."),
        (["create", "drop", "--percent", "0"], "percent: Input should be greater than 0."),
        (["create", "out_of_stock", "--channel", "7"], "channel_ids/0: There is no channel 7."),
        (
            ["create", "out_of_stock", "--tell-now"],
            "tell_now: Only a rule about one product can tell at once what is true already.",
        ),
        (["delete", "7"], "There is no alert rule 7."),
        (["mute", "7"], "There is no alert rule 7."),
        (["channels", "test", "7"], "There is no channel 7."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)

    assert (result.exit_code, result.stderr) == (1, f"Error: {said}\n")


def test_all_secrets_are_encrypted_anew_with_the_key_of_the_settings(
    run: Run, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_channel(sessions, name="None", secret=None)
    stored_channel(sessions, name="Plain", secret="whsec_1")
    stored_channel(sessions, name="Old", secret=Seal("old").close("whsec_2"), old_secret="whsec_0")
    monkeypatch.setenv("PRODUCTATOR_SECRET_KEY", "new")
    refused = run("channels", "encrypt")
    monkeypatch.setenv("PRODUCTATOR_PREVIOUS_SECRET_KEY", "old")
    said = run("channels", "encrypt").stdout

    assert "another key than PRODUCTATOR_SECRET_KEY" in refused.output
    assert said == "The secrets of 2 channels are encrypted with PRODUCTATOR_SECRET_KEY.\n"
    with sessions() as session:
        _, plain, old = session.scalars(select(Channel).order_by(Channel.id))
        stored = (plain.secret, old.secret, old.old_secret)
    assert [Seal("new").open(each or "") for each in stored] == ["whsec_1", "whsec_2", "whsec_0"]
    assert all((each or "").startswith("sealed:") for each in stored)


def test_nothing_is_encrypted_without_a_key(run: Run, sessions: sessionmaker[Session]) -> None:
    stored_channel(sessions, secret="whsec_1")

    assert run("channels", "encrypt").exit_code == 1
