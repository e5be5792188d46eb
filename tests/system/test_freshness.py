"""The refresher keeps offers fresh under every fault of the service."""

from itertools import cycle

import pytest

from lab import databases
from lab.catalogue import NEVER, Catalogue, wrongly_stored
from lab.fault_rules import FAULTS
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.reads import periods_between_reads, reads_by_product
from lab.waiting import eventually
from productator.domain import utc_now
from tests.system.conftest import PERIOD_S

SLACK_S = 15


def test_a_new_product_gets_its_offers(system: System, catalogue: Catalogue) -> None:
    simulator, api, _ = system.simulator(), system.api(), system.refresher()

    product_id = api.create_product()["id"]

    eventually(lambda: api.request("GET", f"/products/{product_id}").json()["registration"] == "registered")
    remote_id = catalogue.remote_ids()[product_id]
    assert simulator.control("GET", "products")["products"] == [remote_id]
    assert api.listing(product_id) == simulator.truth(remote_id)


def test_stored_prices_follow_the_market(system: System, catalogue: Catalogue) -> None:
    simulator, api, _ = system.simulator("--offers-exactly", "9"), system.api(), system.refresher()
    product_id = api.create_product()["id"]
    remote_id = catalogue.remote_ids()[product_id]
    before = eventually(lambda: api.listing(product_id))

    simulator.control("POST", "tick", {"ticks": 5})

    assert simulator.truth(remote_id) != before
    eventually(lambda: api.listing(product_id) == simulator.truth(remote_id))


def test_a_deleted_product_is_no_longer_read(system: System, catalogue: Catalogue) -> None:
    simulator, api, _ = system.simulator(), system.api(), system.refresher()
    deleted, kept = api.create_product()["id"], api.create_product()["id"]
    remote_ids = catalogue.remote_ids()
    eventually(lambda: not catalogue.stale_since(NEVER))

    assert api.request("DELETE", f"/products/{deleted}").status_code == 204
    eventually(lambda: catalogue.count_claims() == 0)
    simulator.control("DELETE", "log")
    eventually(lambda: len(reads_by_product(simulator.log())[remote_ids[kept]]) >= 2)

    assert reads_by_product(simulator.log()).keys() == {remote_ids[kept]}
    assert catalogue.listings().keys() == {remote_ids[kept]}


def test_two_refreshers_together_read_every_product_once_a_period(
    system: System, catalogue: Catalogue
) -> None:
    period_s = 3
    system.variables |= {"REFRESHER_PERIOD": str(period_s), "REFRESHER_CONCURRENCY": "32"}
    simulator = system.simulator()
    # Slow answers: neither refresher is done before the other looks for work.
    simulator.set_faults({"kind": "latency", "seconds": 0.15})
    catalogue.add_products(200)
    refreshers = [system.refresher(), system.refresher()]
    eventually(lambda: not catalogue.stale_since(NEVER))
    simulator.control("DELETE", "log")

    eventually(lambda: fewest_reads(simulator) >= 3)
    shares = [refresher.refreshed for refresher in refreshers]
    assert [refresher.stop() for refresher in refreshers] == [0, 0]

    times = reads_by_product(simulator.log())
    assert len(times) == 200
    assert periods_between_reads(times, period_s).keys() == {1}
    assert min(shares) > 0


def fewest_reads(simulator: Simulator) -> int:
    return min((len(times) for times in reads_by_product(simulator.log()).values()), default=0)


# Each fault on each database: tests/refresher/test_worker.py.
@pytest.mark.parametrize("server", [databases.best()], indirect=True)
def test_no_fault_of_the_service_changes_stored_offers(system: System, catalogue: Catalogue) -> None:
    simulator, refresher = system.simulator(), system.refresher()
    catalogue.add_products(30)
    eventually(lambda: not catalogue.stale_since(NEVER))
    remote_ids = list(catalogue.remote_ids().values())

    # A loop, because starting everything anew for each fault takes minutes. Each fault strikes a third of the
    # products, so the refresher keeps reading all of them.
    for fault, first in zip(FAULTS, cycle((0, 10, 20))):
        simulator.set_faults(fault | {"products": remote_ids[first : first + 10]})
        # Prices move: offers that were stored in spite of the fault would differ from those shown before.
        simulator.control("POST", "tick")
        eventually(lambda: simulator.fired()[0] >= 10)
        assert wrongly_stored(simulator, catalogue) == {}, fault
    simulator.control("DELETE", "faults")

    eventually(lambda: catalogue.listings() == {each: simulator.truth(each) for each in remote_ids})
    assert refresher.is_running
    assert simulator.is_running


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_products_that_hang_do_not_stop_the_others(system: System, catalogue: Catalogue) -> None:
    simulator, refresher = system.simulator(), system.refresher()
    catalogue.add_products(30)
    eventually(lambda: not catalogue.stale_since(NEVER))
    hanging = list(catalogue.remote_ids().values())[:10]

    simulator.set_faults({"kind": "timeout", "products": hanging})
    eventually(lambda: f"products={len(hanging)} reason=" in refresher.printed)

    assert "is down" not in refresher.printed


def test_all_products_are_fresh_within_two_periods_after_an_outage(
    system: System, catalogue: Catalogue
) -> None:
    simulator, refresher = system.simulator(), system.refresher()
    catalogue.add_products(30)
    eventually(lambda: not catalogue.stale_since(NEVER))

    simulator.set_faults({"kind": "close"})
    eventually(lambda: "is down" in refresher.printed)
    simulator.control("POST", "tick")
    simulator.control("DELETE", "faults")
    ended = utc_now()

    eventually(lambda: not catalogue.stale_since(ended), within_s=2 * PERIOD_S + SLACK_S)
    assert catalogue.listings() == {each: simulator.truth(each) for each in catalogue.listings()}
