"""The reads that clients send most stay as cheap as they were recorded to be."""

import pytest
from sqlalchemy import Engine

from lab import common_reads
from lab.common_reads import ReadCost
from productator.app import create_app
from tests import factories
from tests.servers import dispose_of


def test_no_common_read_costs_a_tenth_more_than_recorded(engine: Engine, database_url: str) -> None:
    app = create_app(factories.settings(database_url=database_url))
    recorded = common_reads.recorded(engine.dialect.name)

    found = common_reads.measured(app)
    dispose_of(app)

    assert found.keys() == recorded.keys()
    dearer = {name: cost for name, cost in found.items() if not cost.is_within(recorded[name])}
    assert not dearer, f"recorded: {recorded}; record dearer ones only for a reason that is worth it"


def test_every_common_read_is_one_statement(database_url: str) -> None:
    app = create_app(factories.settings(database_url=database_url))

    found = common_reads.measured(app)
    dispose_of(app)

    assert {cost.statements for cost in found.values()} == {1}


@pytest.mark.parametrize(
    ("statements", "calls", "is_within"), [(1, 1100, True), (1, 1101, False), (2, 900, False), (1, 10, True)]
)
def test_a_tenth_more_calls_or_one_more_statement_is_dearer(
    statements: int, calls: int, *, is_within: bool
) -> None:
    assert ReadCost(statements, calls).is_within(ReadCost(1, 1000)) is is_within
