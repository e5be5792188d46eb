"""Debian's Prometheus on the running system: the dashboard has data, and alarms fire."""

import re
from collections.abc import Iterator

import pytest

from lab.processes import prometheus
from lab.processes.api import Api
from lab.processes.prometheus import Prometheus
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.waiting import eventually
from tests.deploy import alarms
from tests.servers import skipped_if_missing

RATE_INTERVAL = "10s"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """On SQLite: these tests do not depend on the database."""
    folder = tmp_path_factory.mktemp("monitoring")
    variables = {"REFRESHER_PERIOD": "1", "OFFERS_MS_TIMEOUT": "1"}
    system = System(f"sqlite:///{folder / 'products.db'}", folder, variables)
    assert system.productator("migrate").end() == 0
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


@pytest.fixture(scope="module")
def simulator(system: System) -> Simulator:
    return system.simulator(tick_s=1)


@pytest.fixture(scope="module")
def server(system: System, simulator: Simulator) -> Prometheus:
    """It watches an API, a refresher and a notifier, and its alarms do not wait before they fire."""
    with skipped_if_missing():
        prometheus.installed("prometheus")
    api, _refresher, _notifier = system.api(), system.refresher(), system.notifier()
    _call_in_every_way(api)
    rules = alarms.read("rules.yml")
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        del rule["for"]
    return prometheus.start(system, rules)


def _call_in_every_way(api: Api) -> None:
    product = api.create_product()
    assert api.request("POST", "/products", headers={"Idempotency-Key": "once"}, json={"name": "Kettle"}).ok
    assert api.request("GET", f"/products/{product['id']}/offers").ok
    assert api.request("POST", "/products", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("query", alarms.queries())
def test_every_query_of_the_dashboard_has_an_answer(server: Prometheus, query: str) -> None:
    eventually(lambda: server.query(query.replace("$__rate_interval", RATE_INTERVAL)))


def _selectors() -> set[str]:
    """Each metric that a rule asks for, with the labels that it looks at, whatever their values."""
    found = set()
    for rule in alarms.rules():
        for name, matchers in re.findall(r"\b(productator_\w+|up)\b(\{[^}]*\})?", rule["expr"]):
            labels = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers)
            present = ",".join(label + '!=""' for label in labels)
            found.add(f"{name}{{{present}}}")
    return found


@pytest.mark.parametrize("selector", sorted(_selectors()))
def test_every_metric_of_a_rule_exists_with_its_labels(server: Prometheus, selector: str) -> None:
    eventually(lambda: server.query(selector))


def test_every_rule_can_be_evaluated(server: Prometheus) -> None:
    def states() -> set[str]:
        groups = server.get("rules")["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}

    eventually(lambda: states() == {"ok"})


def test_a_system_at_rest_raises_no_alarm(server: Prometheus) -> None:
    eventually(lambda: server.query("productator_refresher_oldest_offers_seconds"))

    assert server.query('ALERTS{alertname!="OffersGrowOld"}') == []


def test_the_alarm_of_a_lost_offers_service_fires(server: Prometheus, simulator: Simulator) -> None:
    simulator.stop()

    eventually(lambda: server.query('ALERTS{alertname="BreakerOpen",alertstate="firing"}'))
