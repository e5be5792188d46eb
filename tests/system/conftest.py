"""The whole system as processes, and its database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lab.catalogue import Catalogue
from lab.processes.system import System

PERIOD_S = 1


@pytest.fixture
def system(database_url: str, tmp_path: Path) -> Iterator[System]:
    """Stops everything that the test has started; the output of the programs is shown when the test fails."""
    system = System(database_url, tmp_path, {"REFRESHER_PERIOD": str(PERIOD_S), "OFFERS_MS_TIMEOUT": "1"})
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


@pytest.fixture
def catalogue(engine: Engine) -> Catalogue:
    return Catalogue(engine)
