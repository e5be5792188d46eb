"""The control answers no page of another site, and no name that somebody else gave this machine."""

import pytest
import requests

from tests.simulator.conftest import RunningSimulator


def answer(simulator: RunningSimulator, method: str = "POST", **headers: str) -> int:
    url = f"http://127.0.0.1:{simulator.port}/control/{'tick' if method == 'POST' else 'clock'}"
    return requests.request(method, url, headers=headers, json={}, timeout=10).status_code


@pytest.mark.parametrize("host", ["evil.example", "evil.example:6607", "127.0.0.1.evil.example", "a b"])
def test_a_host_that_may_be_anybodys_is_refused(simulator: RunningSimulator, host: str) -> None:
    assert answer(simulator, "GET", Host=host) == 403


@pytest.mark.parametrize("host", ["localhost:6607", "simulator:6607", "127.0.0.1", "[::1]:6607", "10.1.2.3"])
def test_names_of_this_machine_and_network_are_answered(simulator: RunningSimulator, host: str) -> None:
    assert answer(simulator, "GET", Host=host) == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_origin_is_refused(simulator: RunningSimulator, origin: str) -> None:
    assert answer(simulator, Origin=origin) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_site_caused_is_refused(simulator: RunningSimulator, site: str) -> None:
    assert answer(simulator, "GET", **{"Sec-Fetch-Site": site}) == 403


def test_a_page_of_its_own_origin_is_answered(simulator: RunningSimulator) -> None:
    assert answer(simulator, Host="localhost:6607", Origin="http://localhost:6607") == 200
