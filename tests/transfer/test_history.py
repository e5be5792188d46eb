"""`productator products history`, on every database."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import offers
from productator.cli import main
from productator.domain import OwnOffer
from productator.models import OfferChange
from tests import factories
from tests.factories import NOW
from tests.marks import SENDS_NO_SQL

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `productator products history ...` on the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PRODUCTATOR_CONFIG", str(ROOT / "config.cfg"))
    return lambda *arguments: CliRunner().invoke(main, ["products", "history", *arguments])


@pytest.fixture
def product(sessions: sessionmaker[Session]) -> str:
    """The id of a product with an own offer that came, changed an hour later, and went after another one."""
    product_id = factories.stored_product(sessions)
    with sessions.begin() as session:
        offer = offers.create(session, product_id, OwnOffer(100, 5), now=NOW)
        offers.change(session, product_id, offer.id, {"price": 90}, now=NOW + HOUR)
        offers.remove(session, product_id, offer.id, now=NOW + 2 * HOUR)
    return str(product_id)


def test_every_change_is_a_line(run: Run, product: str) -> None:
    result = run(product)
    rows = csv.DictReader(result.output.splitlines())
    found = [(row["changed_at"], row["change"], row["price"]) for row in rows]

    assert result.exit_code == 0, result.output
    assert found == [
        ("2026-11-23T12:00:00.000000Z", "appeared", "100"),
        ("2026-11-23T13:00:00.000000Z", "changed", "90"),
        ("2026-11-23T14:00:00.000000Z", "removed", ""),
    ]


def test_a_line_holds_what_the_api_answers(run: Run, product: str) -> None:
    header, line, *_ = run(product).output.splitlines()
    _, line_of_json, *_ = run(product, "--format", "jsonl").output.splitlines()

    assert header == "product_id,offer_id,source,external_id,change,price,currency,items_in_stock,changed_at"
    assert line.startswith(f"{product},")
    assert line.endswith(',"own","","appeared",100,"",5,"2026-11-23T12:00:00.000000Z"')
    assert json.loads(line_of_json)["price"] == 90


def test_a_range_ends_before_its_end(run: Run, product: str) -> None:
    result = run(product, "--from", "2026-11-23T14:00:00+01:00", "--to", "2026-11-23T14:00:00Z")

    assert [row["change"] for row in csv.DictReader(result.output.splitlines())] == ["changed"]


def test_the_output_is_a_file(run: Run, product: str, tmp_path: Path) -> None:
    result = run(product, "--output", str(tmp_path / "history.jsonl"))

    assert (result.exit_code, result.output) == (0, "")
    assert len(tmp_path.joinpath("history.jsonl").read_text().splitlines()) == 3


def test_more_than_one_read_is_complete(run: Run, product: str, sessions: sessionmaker[Session]) -> None:
    row = {"product_id": int(product), "changed_at": NOW, "kind": 2, "price": 1, "items_in_stock": 1}
    unused_ids = range(10_000_000, 10_002_500)
    with sessions.begin() as session:
        session.execute(insert(OfferChange), [row | {"offer_id": each} for each in unused_ids])

    assert len(run(product).output.splitlines()) == 1 + 3 + 2_500


def test_an_unknown_product_ends_the_command_with_a_sentence(run: Run, product: str, tmp_path: Path) -> None:
    result = run("999999999", "--output", str(tmp_path / "x.csv"))

    assert (result.exit_code, result.output) == (1, "Error: There is no product 999999999.\n")
    assert list(tmp_path.glob("*.csv")) == []


@pytest.mark.parametrize("time", ["now", "2026-11-23", "2026-11-23T12:00:00"])
@SENDS_NO_SQL
def test_a_time_without_a_zone_is_refused(run: Run, product: str, time: str) -> None:
    result = run(product, "--to", time)

    assert result.exit_code == 2
    assert "A time has a zone" in result.output


@SENDS_NO_SQL
def test_a_range_that_ends_before_it_begins_is_refused(run: Run, product: str, tmp_path: Path) -> None:
    result = run(
        product,
        *("--from", "2026-11-24T00:00:00Z", "--to", "2026-11-23T00:00:00Z"),
        *("--output", str(tmp_path / "x.csv")),
    )

    assert result.exit_code == 2
    assert "--from must not be after --to." in result.output
    assert list(tmp_path.glob("*.csv")) == []
