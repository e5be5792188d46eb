"""Generation 2: one access token for the whole installation, across restarts."""

import random
from collections import Counter

import pytest

from lab.catalogue import NEVER, Catalogue
from lab.processes.system import System
from lab.waiting import eventually
from productator.domain import utc_now

ON_ONE_SERVER = pytest.mark.parametrize("server", ["mysql"], indirect=True)
LIFETIME_S = 4


@ON_ONE_SERVER
def test_restarts_request_one_token_a_lifetime_and_lock_no_program_out(
    system: System, catalogue: Catalogue
) -> None:
    simulator = system.simulator("--token-lifetime", str(LIFETIME_S), generation=2)
    programs = [system.api(), system.refresher(), system.refresher()]
    catalogue.add_products(20)
    eventually(lambda: not catalogue.stale_since(NEVER))

    system.restart_at_random(programs, chance=random.Random(1), for_s=20)
    ended = utc_now()
    eventually(lambda: not catalogue.stale_since(ended))

    calls = simulator.log("auth")
    lived_s = calls[-1]["time"] - calls[0]["time"]
    # The service rounds expiries to whole seconds, so a lifetime may be a second shorter.
    assert Counter(entry["status"] for entry in calls)[201] <= lived_s / (LIFETIME_S - 1) + 1
    assert [entry["status"] for entry in calls if entry["status"] != 201] == []
