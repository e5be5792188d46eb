"""The Offers service's stand-in as a real process, for the refresher to work with."""

from collections.abc import Iterator

import pytest

from tests.simulator.conftest import RunningSimulator, running_simulator


@pytest.fixture(scope="package")
def process1() -> Iterator[RunningSimulator]:
    with running_simulator("--generation", "1") as simulator:
        yield simulator


@pytest.fixture(scope="package")
def process2() -> Iterator[RunningSimulator]:
    with running_simulator("--generation", "2") as simulator:
        yield simulator


@pytest.fixture
def generation1(process1: RunningSimulator) -> RunningSimulator:
    return as_new(process1)


@pytest.fixture
def generation2(process2: RunningSimulator) -> RunningSimulator:
    return as_new(process2)


@pytest.fixture(params=["generation1", "generation2"])
def simulator(request: pytest.FixtureRequest) -> RunningSimulator:
    """Either generation: for what both share."""
    found: RunningSimulator = request.getfixturevalue(request.param)
    return found


def as_new(simulator: RunningSimulator) -> RunningSimulator:
    simulator.control("DELETE", "faults")
    simulator.control("POST", "forget")
    simulator.control("POST", "expire")
    simulator.control("DELETE", "log")
    return simulator
