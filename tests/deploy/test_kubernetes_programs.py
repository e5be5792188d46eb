"""The Kubernetes manifests agree with the programs on ports, probes, commands and the time a stop takes."""

import re

import pytest
import requests
from prometheus_client import CollectorRegistry

from productator.app import create_app
from productator.cli import main
from productator.config import Settings
from productator.workers import probes
from simulator.options import read_options
from tests import factories
from tests.deploy.manifests import ROOT, Manifests, container_of, http_probes, name_of, pod_of

WORKERS_STOP_WITHIN_S = 10
# Of productator/ops/draining.py.
QUEUE_ENDS_WITHIN_S = 5
# The time to live of the names of a Service.
NAMES_ARE_KEPT_S = 5
PROXY = ROOT / "deploy" / "proxy"


@pytest.fixture(scope="module")
def shipped() -> Settings:
    return Settings.load(str(ROOT / "config.cfg"), {})


def test_ports_are_those_that_the_programs_listen_on(manifests: Manifests, shipped: Settings) -> None:
    ports = {
        name_of(each): port["containerPort"]
        for each in manifests.workloads
        for port in container_of(each).get("ports", [])
    }
    expected = {
        "api": shipped.port,
        "refresher": shipped.refresher_metrics_port,
        "notifier": shipped.notifier_metrics_port,
        "simulator": read_options([], {}).port,
        "mysql": shipped.database_port,
    }

    assert ports.items() - {("proxy", 8080)} <= expected.items()
    assert {"api", "refresher", "notifier", "proxy"} <= ports.keys()


def test_metrics_are_scraped_from_the_port_that_has_them(manifests: Manifests) -> None:
    for name in ("api", "refresher", "notifier"):
        workload = manifests.named("Deployment", name)
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        (port,) = container_of(workload)["ports"]
        assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_the_probes_of_the_api_are_routes(manifests: Manifests) -> None:
    routes = {rule.rule for rule in create_app(factories.settings()).url_map.iter_rules()}

    asked = dict(http_probes(manifests.named("Deployment", "api")))

    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(asked.values()) <= routes


@pytest.mark.parametrize("worker", ["refresher", "notifier"])
def test_the_probes_of_the_workers_answer(manifests: Manifests, worker: str) -> None:
    heartbeat = probes.Heartbeat(longest_s=30)
    heartbeat.beat(has_database=True)
    server = probes.serve("127.0.0.1", 0, heartbeat=heartbeat, registry=CollectorRegistry())
    with server:
        asked = dict(http_probes(manifests.named("Deployment", worker)))
        url = f"http://127.0.0.1:{server.server_port}"
        statuses = {kind: requests.get(url + path, timeout=10).status_code for kind, path in asked.items()}
        server.shutdown()

    assert statuses == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 200}


def test_the_migration_runs_a_command_that_exists(manifests: Manifests) -> None:
    command = " ".join(container_of(manifests.named("Job", "migrate"))["command"])
    called = re.findall(r"productator (\w+)", command)

    assert called[0] == "migrate"
    assert set(called) <= main.commands.keys()


def test_the_grace_of_the_api_covers_its_stop(manifests: Manifests) -> None:
    api = manifests.named("Deployment", "api")
    ini = (ROOT / "productator" / "ops" / "uwsgi.ini").read_text(encoding="utf-8")
    (mercy_s,) = re.findall(r"^worker-reload-mercy = (\d+)$", ini, re.MULTILINE)
    drain_s = int(manifests.variables(api)["PRODUCTATOR_DRAIN_S"])

    assert drain_s > NAMES_ARE_KEPT_S
    assert pod_of(api)["terminationGracePeriodSeconds"] > drain_s + QUEUE_ENDS_WITHIN_S + int(mercy_s)


def test_the_grace_of_the_proxy_covers_its_stop(manifests: Manifests) -> None:
    proxy = manifests.named("Deployment", "proxy")
    waits_s = container_of(proxy)["lifecycle"]["preStop"]["sleep"]["seconds"]
    configuration = (PROXY / "nginx.conf").read_text(encoding="utf-8")
    (ends_s,) = re.findall(r"worker_shutdown_timeout (\d+)s;", configuration)

    assert pod_of(proxy)["terminationGracePeriodSeconds"] > waits_s + int(ends_s)


def test_the_proxy_has_every_file_of_its_configuration(manifests: Manifests) -> None:
    configuration = next(
        each["data"] for each in manifests.of_kind("ConfigMap") if "nginx.conf" in each["data"]
    )
    files = {path.name: path.read_text(encoding="utf-8") for path in PROXY.iterdir()}
    del files["kustomization.yaml"]

    assert configuration == files


def test_the_variables_of_the_proxy_are_those_of_its_start(manifests: Manifests) -> None:
    script = (PROXY / "start.sh").read_text(encoding="utf-8")
    read = set(re.findall(r"\$\{([A-Z_]+)", script))
    given = manifests.variables(manifests.named("Deployment", "proxy"))
    (port,) = container_of(manifests.named("Deployment", "proxy"))["ports"]

    assert given.keys() - {"NAMESPACE"} <= read
    assert f"${{PROXY_PORT:-{port['containerPort']}}}" in script


@pytest.mark.parametrize("worker", ["refresher", "notifier"])
def test_the_grace_of_the_workers_covers_their_stop(manifests: Manifests, worker: str) -> None:
    grace_s = pod_of(manifests.named("Deployment", worker))["terminationGracePeriodSeconds"]

    assert grace_s > WORKERS_STOP_WITHIN_S
