"""A backup made while everything writes is one state; after its restore the refresher heals the rest."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import select

from lab.backups import back_up, restore
from lab.catalogue import NEVER, Catalogue, wrongly_stored
from lab.chaos.plan import Findings
from lab.chaos.stored_state import check_stored_state
from lab.processes.api import Api
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.waiting import eventually
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import utc_now
from productator.models import Product
from tests.servers import SharedServer, url_of

TOKEN_LIFETIME_S = 5


@dataclass
class Writer:
    """Creates products through the API until it is stopped; `created` holds what was acknowledged."""

    api: Api
    created: list[str] = field(default_factory=list)
    _ended: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._thread = Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        for number in count():
            if self._ended.is_set():
                return
            self.created.append(self.api.create_product(name=f"Written {number}")["name"])


@pytest.fixture
def simulator(system: System) -> Simulator:
    return system.simulator(tick_s=0.5)


@pytest.fixture
def generation2(system: System) -> Simulator:
    """A service that gives no new access token while the last one is valid."""
    return system.simulator("--token-lifetime", str(TOKEN_LIFETIME_S), generation=2, tick_s=0.5)


def started(system: System, catalogue: Catalogue) -> Api:
    """An API with refreshed products; a refresher goes on refreshing them."""
    catalogue.add_products(20)
    api, _ = system.api(), system.refresher()
    eventually(lambda: not catalogue.stale_since(NEVER))
    return api


@pytest.fixture
def restored(server: SharedServer) -> Iterator[Catalogue]:
    """An empty database to restore into."""
    engine = make_engine(server.new())
    yield Catalogue(engine)
    engine.dispose()


def names(catalogue: Catalogue) -> set[str]:
    with catalogue.engine.connect() as connection:
        return set(connection.scalars(select(Product.name)))


def broken_promises(catalogue: Catalogue, simulator: Simulator) -> list[str]:
    """What is wrong with the stored offers and their history."""
    findings = Findings()
    check_stored_state(catalogue.engine, simulator, [], findings)
    return findings.broken


def start_again(system: System, restored: Catalogue) -> Api:
    """Stops API and refresher, as if their database was lost, and starts others on the restored one."""
    for program in system.programs[1:]:
        assert program.stop() == 0
    system.database_url = url_of(restored.engine)
    system.refresher()
    return system.api()


def test_a_backup_under_load_is_one_state_of_the_database(
    system: System,
    simulator: Simulator,
    catalogue: Catalogue,
    restored: Catalogue,
    tmp_path: Path,
) -> None:
    writer = Writer(started(system, catalogue))
    eventually(lambda: len(writer.created) > 20)
    before = set(writer.created)
    back_up(system.database_url, tmp_path / "backup")
    until = len(writer.created) + 1
    eventually(lambda: len(writer.created) > until + 20)
    writer.stop()
    restore(tmp_path / "backup", url_of(restored.engine))

    written = {name for name in names(restored) if name.startswith("Written")}
    assert before <= written <= set(writer.created[:until])
    assert broken_promises(restored, simulator) == []
    with restored.engine.connect() as connection:
        assert migrate.revision(connection) == migrate.newest_revision()


def test_after_a_restore_all_offers_are_fresh_and_right_again(
    system: System,
    generation2: Simulator,
    catalogue: Catalogue,
    restored: Catalogue,
    tmp_path: Path,
) -> None:
    simulator, api = generation2, started(system, catalogue)
    simulator.set_faults({"kind": "status", "status": 500, "calls": ["register"]})
    # The backup does not know that it was registered.
    api.create_product(name="Pending in the backup")
    back_up(system.database_url, tmp_path / "backup")
    simulator.control("DELETE", "faults")
    # The service knows it, the backup does not.
    lost = api.create_product(name="Created after the backup")["id"]
    since = utc_now()
    eventually(lambda: not catalogue.stale_since(since))
    simulator.control("POST", "forget", {"products": [min(catalogue.remote_ids().values())]})
    restore(tmp_path / "backup", url_of(restored.engine))
    since = utc_now()
    api = start_again(system, restored)
    # The token that was given after the backup is lost: the service gives no other one until it expires.
    eventually(lambda: not restored.stale_since(since))

    assert "Created after the backup" not in names(restored)
    assert api.request("GET", f"/products/{lost}").status_code == 404
    assert {"Pending in the backup", *(f"Product {number}" for number in range(20))} == names(restored)
    assert wrongly_stored(simulator, restored) == {}
