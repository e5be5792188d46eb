"""How the programs end: on SIGTERM in the middle of work, and killed."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text

from lab.catalogue import NEVER, Catalogue
from lab.processes.program import free_port
from lab.processes.system import System
from lab.waiting import eventually
from productator.domain import utc_now
from productator.models import Product

# SQLite has no row locks.
ON_SERVERS = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
ON_ONE_SERVER = pytest.mark.parametrize("server", ["mariadb"], indirect=True)


@pytest.fixture
def in_background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


@ON_ONE_SERVER
def test_sigterm_ends_a_refresher_and_leaves_no_claim(system: System, catalogue: Catalogue) -> None:
    simulator, refresher = system.simulator(), system.refresher(REFRESHER_CONCURRENCY="8")
    simulator.set_faults({"kind": "latency", "seconds": 0.2})
    catalogue.add_products(100)
    eventually(catalogue.count_claims)

    assert refresher.stop() == 0

    assert catalogue.count_claims() == 0
    assert "Traceback" not in refresher.printed


@ON_ONE_SERVER
def test_sigterm_gives_claims_back_while_the_service_hangs(system: System, catalogue: Catalogue) -> None:
    simulator = system.simulator()
    # A timeout far longer than a stop may take.
    refresher = system.refresher(OFFERS_MS_TIMEOUT="600")
    simulator.set_faults({"kind": "timeout", "calls": ["register", "offers"]})
    catalogue.add_products(20)
    eventually(lambda: len(simulator.log("register")) == 20)

    assert refresher.stop() == 0

    assert catalogue.count_claims() == 0
    assert catalogue.latest_due() <= utc_now()


@ON_ONE_SERVER
def test_sigterm_ends_a_refresher_that_waits_for_a_token(system: System, catalogue: Catalogue) -> None:
    simulator = system.simulator()
    refresher = system.refresher(OFFERS_MS_TIMEOUT="600")
    simulator.set_faults({"kind": "timeout", "calls": ["auth"]})
    catalogue.add_products(20)
    eventually(lambda: simulator.log("auth"))

    assert refresher.stop() == 0

    assert catalogue.count_claims() == 0
    assert catalogue.latest_due() <= utc_now()


@ON_ONE_SERVER
def test_another_refresher_takes_over_the_products_of_a_killed_one(
    system: System, catalogue: Catalogue
) -> None:
    simulator, killed = system.simulator(), system.refresher()
    simulator.set_faults({"kind": "timeout", "calls": ["register"]})
    catalogue.add_products(20)
    eventually(lambda: len(simulator.log("register")) == 20)

    assert killed.stop(signal.SIGKILL) == -signal.SIGKILL
    assert catalogue.count_claims() == 20
    simulator.control("DELETE", "faults")
    system.refresher()

    assert catalogue.latest_due() < utc_now() + timedelta(minutes=1)
    eventually(lambda: not catalogue.stale_since(NEVER))


@ON_SERVERS
def test_sigterm_lets_uwsgi_finish_a_request_in_flight(
    system: System, catalogue: Catalogue, engine: Engine, in_background: ThreadPoolExecutor
) -> None:
    api = system.api()
    product_id = api.create_product(name="Old")["id"]
    with engine.begin() as holder:
        holder.execute(select(Product.id).where(Product.id == product_id).with_for_update())
        patched = in_background.submit(api.request, "PATCH", f"/products/{product_id}", json={"name": "New"})
        eventually(lambda: waiting_for_locks(engine) == 1)
        api.process.terminate()
        eventually(lambda: "graceful shutdown triggered" in api.printed)
        assert not patched.done()

    assert (patched.result().status_code, patched.result().json()["name"]) == (200, "New")
    assert api.end() == 0


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_sigterm_ends_uwsgi_whose_workers_are_still_loading(system: System) -> None:
    api = system.productator("serve", PORT=str(free_port()))
    # The hook runs first in each worker; loading the application takes far longer.
    eventually(lambda: api.printed.count('_exit" (post-fork)') == len(api.children) > 0)

    assert api.stop() == 0


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sign", ["*** Starting uWSGI", "spawned uWSGI worker"])
def test_sigterm_ends_uwsgi_that_is_just_starting(system: System, sign: str) -> None:
    api = system.productator("serve", PORT=str(free_port()))
    eventually(lambda: sign in api.printed)

    assert api.stop() == 0


def waiting_for_locks(engine: Engine) -> int:
    """How many locking reads wait on this database; only the lock that the test holds makes them wait."""
    # Not innodb_trx: it shows cached rows to clients that ask more than ten times a second.
    query = text(
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE db = DATABASE() AND command = 'Query' AND info LIKE :locking"
    )
    with engine.connect() as connection:
        return int(connection.execute(query, {"locking": "%FOR UPDATE"}).scalar_one())
