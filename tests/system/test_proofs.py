"""Short forms of `make proofs` and `make fuzz`."""

import pytest
from sqlalchemy import Engine, select

from lab import databases
from lab.processes.system import System
from lab.proofs.concurrent_writers import write_concurrently
from lab.proofs.fuzzing import fuzz
from lab.proofs.idempotency_keys import send_keys
from lab.proofs.rolling_restart import restart_under_load
from lab.proofs.soak import watch_under_load
from lab.proofs.stops_under_load import stop_under_load
from productator.models import Product

pytestmark = [pytest.mark.proof, pytest.mark.parametrize("server", [databases.best()], indirect=True)]


def test_no_update_of_concurrent_writers_is_lost(system: System) -> None:
    written = write_concurrently(system.api(), writers=16, writes=300, products=2)

    assert written.is_as_promised, written
    assert written.conflicts


def test_each_key_has_one_effect_and_one_answer_although_workers_are_killed(system: System) -> None:
    sent = send_keys(system.api(), keys=100, duplicates=10)

    assert sent.is_as_promised, sent
    assert sent.kills > 5


@pytest.mark.parametrize("after_s", [0.1, 0.25, 0.4])
def test_a_stop_under_load_fails_no_request_in_flight(system: System, engine: Engine, after_s: float) -> None:
    stopped = stop_under_load(system.api(), clients=8, after_s=after_s, prefix="stop")

    with engine.connect() as connection:
        stored = set(connection.scalars(select(Product.name)))
    assert stopped.in_flight
    assert stopped.failed == []
    assert stopped.created == stored
    assert (stopped.exit_code, set(stopped.statuses)) == (0, {200, 201})


def test_a_rolling_restart_behind_the_proxy_fails_no_request(system: System) -> None:
    """Beside other tests the database may answer too late for some, whether anything is restarted or not."""
    sent = restart_under_load(system, replicas=2, per_s=20)

    assert {answer.split()[0] for answer in sent.answers} == {"GET", "POST", "PUT", "DELETE"}
    assert sent.failed == sent.busy, sent
    assert sent.busy < sent.sent / 20, sent


@pytest.mark.timeout(1_200)
def test_memory_and_files_of_all_programs_stay_within_bounds_under_load(system: System) -> None:
    """Ten minutes, of which half is for warming up; `python -m lab.proofs soak` shows smaller leaks."""
    system.simulator(tick_s=5)
    api, refresher = system.api(), system.refresher()
    trends = watch_under_load(api, [api, refresher], for_s=600, a_second=10, every_s=5)

    assert len(trends) == 4
    assert [str(each) for each in trends if not each.is_flat(most_bytes_a_minute=2_000_000)] == []


def test_every_request_of_schemathesis_is_answered_as_described(system: System) -> None:
    fuzzed = fuzz(system, system.api(), examples=25, seed=1)

    assert (fuzzed.exit_code, fuzzed.server_errors) == (0, 0), fuzzed.printed
    assert fuzzed.cases > 1_000
    assert fuzzed.answers.keys() == {"examples", "coverage", "fuzzing", "stateful"}
