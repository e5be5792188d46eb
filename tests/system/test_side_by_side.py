"""An older version and this one run on one database, as during a rollout."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from lab.catalogue import NEVER, Catalogue, wrongly_stored
from lab.chaos.plan import Findings
from lab.chaos.stored_state import check_stored_state
from lab.processes.api import Api
from lab.processes.old_version import check_out
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.waiting import eventually
from productator.database.engine import make_engine
from productator.domain import utc_now

OLD = "b542329"
SETTINGS = {"REFRESHER_PERIOD": "1", "OFFERS_MS_TIMEOUT": "1", "PRODUCTATOR_SECRET_KEY": "of both versions"}


@pytest.fixture(scope="module")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(OLD, tmp_path_factory.mktemp("old"))


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue(engine: Engine) -> Catalogue:
    return Catalogue(engine)


@pytest.fixture
def new(empty_database_url: str, tmp_path: Path) -> Iterator[System]:
    """This version's programs, on a database that nobody has migrated."""
    yield from running(System(empty_database_url, tmp_path, dict(SETTINGS)))


@pytest.fixture
def simulator(new: System) -> Simulator:
    return new.simulator()


@pytest.fixture
def old(new: System, simulator: Simulator, old_code: Path, tmp_path: Path) -> Iterator[System]:
    """The older version's programs on the same database, which they have migrated."""
    folder = tmp_path / "old"
    folder.mkdir()
    system = System(new.database_url, folder, dict(new.variables), code=old_code)
    # It creates no file.
    if system.database_url.startswith("sqlite"):
        Path(system.database_url.removeprefix("sqlite:///")).touch()
    run(system, "migrate")
    yield from running(system)


def running(system: System) -> Iterator[System]:
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


def run(system: System, *arguments: str) -> str:
    command = system.productator(*arguments)
    assert command.end() == 0, command.printed
    return command.printed


def names_found(api: Api, text: str) -> list[str]:
    items = api.request("GET", f"/products?q={text}").json()["items"]
    return [each["name"] for each in items]


def send_twice(first: Api, second: Api, key: str) -> list[Any]:
    """The products that two APIs answer to one POST that is sent to both."""
    request = {"json": {"name": f"Sent with {key}"}, "headers": {"Idempotency-Key": key}}
    answers = [each.request("POST", "/products", **request) for each in (first, second)]
    assert [each.status_code for each in answers] == [201, 201]
    return [each.json() for each in answers]


def test_an_old_version_goes_on_while_its_database_is_migrated(old: System, new: System) -> None:
    api = old.api()
    ended = Event()
    created: list[int] = []

    def write() -> None:
        for number in count():
            if ended.is_set():
                return
            created.append(api.request("POST", "/products", json={"name": f"Lamp {number}"}).status_code)

    writing = Thread(target=write)
    writing.start()
    eventually(lambda: len(created) > 10)
    said = run(new, "migrate")
    before = len(created)
    eventually(lambda: len(created) > before + 10)
    ended.set()
    writing.join()

    assert ", was 0010" in said
    assert set(created) == {201}


def test_products_of_either_version_are_read_found_and_changed_by_the_other(old: System, new: System) -> None:
    old_api = old.api()
    run(new, "migrate")
    new_api = new.api()
    ids = [api.create_product(name=name)["id"] for api, name in ((old_api, "Čaj one"), (new_api, "Čaj two"))]

    for api in (old_api, new_api):
        assert names_found(api, "caj") == ["Čaj one", "Čaj two"]
    for api, product_id in ((new_api, ids[0]), (old_api, ids[1])):
        assert api.request("PATCH", f"/products/{product_id}", json={"name": "Tea"}).status_code == 200
        assert api.request(
            "POST", f"/products/{product_id}/offers", json={"price": 5, "items_in_stock": 1}
        ).ok
    for api in (old_api, new_api):
        assert names_found(api, "tea") == ["Tea", "Tea"]
        prices = [api.request("GET", f"/products/{each}/price-history").json()["items"] for each in ids]
        assert [points[-1]["lowest_price"] for points in prices] == [5, 5]


def test_a_request_that_is_sent_again_to_the_other_version_has_its_effect_once(
    old: System, new: System, catalogue: Catalogue
) -> None:
    old_api = old.api()
    run(new, "migrate")
    new_api = new.api()

    for first, second, key in ((old_api, new_api, "a"), (new_api, old_api, "b")):
        one, other = send_twice(first, second, key)
        assert one == other
    assert len(catalogue.remote_ids()) == 2


def test_refreshers_of_both_versions_share_the_products_and_keep_their_history_true(
    old: System, new: System, simulator: Simulator, catalogue: Catalogue
) -> None:
    old_api, old_refresher = old.api(), old.refresher()
    old_api.create_product()
    eventually(lambda: not catalogue.stale_since(NEVER))
    run(new, "migrate")
    refreshers, new_api = [old_refresher, new.refresher()], new.api()
    for number in range(20):
        (old_api, new_api)[number % 2].create_product(name=f"Lamp {number}")

    for _ in range(5):
        simulator.control("POST", "tick")
        since = utc_now()
        eventually(lambda: not catalogue.stale_since(since))  # noqa: B023 - called at once

    assert min(refresher.refreshed for refresher in refreshers) > 0
    assert [program.stop() for program in (*refreshers, old_api, new_api)] == [0, 0, 0, 0]
    assert wrongly_stored(simulator, catalogue) == {}
    findings = Findings()
    check_stored_state(catalogue.engine, simulator, [], findings)
    assert findings.broken == []
