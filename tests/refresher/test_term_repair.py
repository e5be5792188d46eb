"""Search terms that do not fit the name get right, whoever wrote the product."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from productator.catalogue import term_repair
from productator.catalogue.term_repair import RepairStep, repair_some
from productator.database.keyset import Position
from productator.models import Product
from tests import factories
from tests.factories import NOW
from tests.refresher.rows import Sessions


def written_by_an_old_version(sessions: Sessions, name: str, *, terms: str = "", now: object = NOW) -> int:
    """The id of a product with these terms instead of those of its name."""
    product_id = factories.stored_product(sessions, name=name)
    with sessions.begin() as session:
        row = update(Product).where(Product.id == product_id)
        session.execute(row.values(words=terms, updated_at=now))
    return product_id


def terms_of(sessions: Sessions, *product_ids: int) -> list[str]:
    with sessions() as session:
        return [
            session.scalars(select(Product.words).where(Product.id == each)).one() for each in product_ids
        ]


def run(sessions: Sessions, position: Position | None = None) -> RepairStep:
    with sessions.begin() as session:
        return repair_some(session, position=position)


@pytest.mark.parametrize("terms", ["", "__old __name", "__caj __ceylon __superfluous"])
def test_terms_that_do_not_fit_the_name_are_repaired(sessions: Sessions, terms: str) -> None:
    product_id = written_by_an_old_version(sessions, "Čaj Ceylon", terms=terms)

    assert run(sessions).repaired == 1
    assert terms_of(sessions, product_id) == ["__caj __ceylon"]


def test_a_repair_changes_neither_version_nor_time(sessions: Sessions) -> None:
    product_id = written_by_an_old_version(sessions, "Lamp")
    before = version_and_time(sessions, product_id)
    run(sessions)

    assert version_and_time(sessions, product_id) == before


def version_and_time(sessions: Sessions, product_id: int) -> tuple[int, object]:
    with sessions() as session:
        product = session.get_one(Product, product_id)
        return product.version, product.updated_at


def test_right_terms_are_not_written_again(sessions: Sessions, statements: list[str]) -> None:
    factories.stored_product(sessions, name="Lamp")
    statements.clear()

    assert run(sessions).repaired == 0
    assert not [each for each in statements if each.startswith("UPDATE")]


def test_all_products_are_looked_at_step_by_step(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term_repair, "_PRODUCTS_A_STEP", 2)
    product_ids = [written_by_an_old_version(sessions, f"Lamp {number}") for number in range(5)]
    steps = [run(sessions)]
    while steps[-1].has_more:
        steps.append(run(sessions, steps[-1].position))

    assert [each.repaired for each in steps] == [2, 2, 1]
    assert terms_of(sessions, *product_ids) == [f"__lamp __{number}" for number in range(5)]


def test_what_an_old_version_writes_later_is_repaired_by_a_later_step(sessions: Sessions) -> None:
    written_by_an_old_version(sessions, "Lamp")
    end = run(sessions).position
    # Its commit came after others of a later time.
    late = written_by_an_old_version(sessions, "Desk", now=NOW - timedelta(seconds=30))

    assert run(sessions, end).repaired == 1
    assert terms_of(sessions, late) == ["__desk"]


def test_what_was_looked_at_long_ago_is_not_read_again(sessions: Sessions) -> None:
    factories.stored_product(sessions, name="Lamp", now=NOW - timedelta(hours=1))
    factories.stored_product(sessions, name="Desk")
    end = run(sessions).position
    rename_unnoticed(sessions, "Lamp", "Chair")

    assert run(sessions, end).repaired == 0


def rename_unnoticed(sessions: Sessions, old: str, new: str) -> None:
    with sessions.begin() as session:
        session.execute(update(Product).where(Product.name == old).values(name=new))


def test_an_empty_catalogue_needs_no_repair(sessions: Sessions) -> None:
    assert run(sessions) == RepairStep(None, has_more=False, repaired=0)
