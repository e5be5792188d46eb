"""The Kubernetes manifests are valid, confined, and agree with the programs. Needs no cluster."""

import re
from importlib import metadata
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry

from productator.app import create_app
from productator.cli import main
from productator.config import Settings
from productator.config.settings import SETTINGS
from refresher import probes
from simulator.options import read_options
from tests import factories
from tests.deploy.manifests import (
    ROOT,
    Manifests,
    container_of,
    http_probes,
    name_of,
    pod_labels,
    pod_of,
    run_tool,
    secrets_of,
)

OURS = ("api", "refresher", "migrate")
# Of the official image of MySQL.
MYSQL_VARIABLES = {"MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD_FILE", "MYSQL_RANDOM_ROOT_PASSWORD"}
# Of start.sh; NAMESPACE is for API_ADDRESS.
PROXY_VARIABLES = {"API_ADDRESS", "BALANCERS", "NAMESPACE"}
REFRESHER_STOPS_WITHIN_S = 10
# Of productator/ops/draining.py.
QUEUE_ENDS_WITHIN_S = 5
# The time to live of the names of a Service.
NAMES_ARE_KEPT_S = 5
PROXY = ROOT / "deploy" / "proxy"


@pytest.fixture(scope="module")
def shipped() -> Settings:
    return Settings.load(str(ROOT / "config.cfg"), {})


@pytest.mark.parametrize("version", ["1.35", "1.36", "1.37"])
def test_the_manifests_are_valid_for_current_versions_of_kubernetes(
    overlay: str, version: str, tmp_path: Path
) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(overlay)

    checked = run_tool("kubernetes-validate", "--strict", "--quiet", "-k", version, str(file))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_manifests_follow_the_policies_of_checkov(overlay: str, tmp_path: Path) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(overlay)
    config = ROOT / "deploy" / "kubernetes" / "checkov.yaml"

    checked = run_tool("checkov", "--config-file", str(config), "--file", str(file))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_variable_is_a_setting(manifests: Manifests) -> None:
    settings = {setting.variable for setting in SETTINGS.values()}
    secrets = {f"{setting.variable}_FILE" for setting in SETTINGS.values() if setting.secret}
    given = {name for each in manifests.workloads for name in manifests.variables(each)}

    assert given <= settings | secrets | MYSQL_VARIABLES | PROXY_VARIABLES


@pytest.mark.parametrize("workload", OURS)
def test_the_programs_start_with_what_the_manifests_give_them(manifests: Manifests, workload: str) -> None:
    kind = "Job" if workload == "migrate" else "Deployment"
    variables = manifests.variables(manifests.named(kind, workload))
    given = {name: value for name, value in variables.items() if not name.endswith("_FILE")}

    settings = Settings.load(str(ROOT / "config.cfg"), given)

    assert settings.database_url.startswith("mysql+pymysql://productator")
    assert not settings.offers_address.startswith("http://127.0.0.1")


def test_no_secret_is_a_plain_variable_or_part_of_the_manifests(manifests: Manifests) -> None:
    secrets = {setting.variable for setting in SETTINGS.values() if setting.secret}

    assert not manifests.of_kind("Secret")
    assert not secrets & {name for each in manifests.workloads for name in manifests.variables(each)}


def test_each_program_gets_only_the_secrets_that_it_needs(manifests: Manifests) -> None:
    secrets = {name_of(each): secrets_of(each) for each in manifests.workloads}

    assert secrets["api"] == {"productator-database", "productator-api"}
    assert secrets["refresher"] <= {"productator-database", "productator-offers"}
    assert secrets["proxy"] == set()


def test_every_secret_file_is_in_a_mounted_secret(manifests: Manifests) -> None:
    for workload in manifests.workloads:
        folders = {mount["mountPath"] for mount in container_of(workload)["volumeMounts"]}
        files = {value for name, value in manifests.variables(workload).items() if name.endswith("_FILE")}
        assert {str(Path(file).parent) for file in files} <= folders, name_of(workload)


def test_every_secret_is_documented(manifests: Manifests) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for workload in manifests.workloads:
        for secret in secrets_of(workload):
            assert f"`{secret}`" in text


def test_ports_are_those_that_the_programs_listen_on(manifests: Manifests, shipped: Settings) -> None:
    ports = {
        name_of(each): port["containerPort"]
        for each in manifests.workloads
        for port in container_of(each).get("ports", [])
    }
    expected = {
        "api": shipped.port,
        "refresher": shipped.refresher_metrics_port,
        "simulator": read_options([], {}).port,
        "mysql": shipped.database_port,
    }

    assert ports.items() - {("proxy", 8080)} <= expected.items()
    assert {"api", "refresher", "proxy"} <= ports.keys()


def test_metrics_are_scraped_from_the_port_that_has_them(manifests: Manifests) -> None:
    for name in ("api", "refresher"):
        workload = manifests.named("Deployment", name)
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        (port,) = container_of(workload)["ports"]
        assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_the_probes_of_the_api_are_routes(manifests: Manifests) -> None:
    routes = {rule.rule for rule in create_app(factories.settings()).url_map.iter_rules()}

    asked = dict(http_probes(manifests.named("Deployment", "api")))

    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(asked.values()) <= routes


def test_the_probes_of_the_refresher_answer(manifests: Manifests) -> None:
    heartbeat = probes.Heartbeat(longest_s=30)
    heartbeat.beat(has_database=True)
    server = probes.serve("127.0.0.1", 0, heartbeat=heartbeat, registry=CollectorRegistry())
    with server:
        asked = dict(http_probes(manifests.named("Deployment", "refresher")))
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
    configuration = next(
        each["data"] for each in manifests.of_kind("ConfigMap") if "nginx.conf" in each["data"]
    )
    (ends_s,) = re.findall(r"worker_shutdown_timeout (\d+)s;", configuration["nginx.conf"])

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


def test_the_grace_of_the_refresher_covers_its_stop(manifests: Manifests) -> None:
    refresher = manifests.named("Deployment", "refresher")

    assert pod_of(refresher)["terminationGracePeriodSeconds"] > REFRESHER_STOPS_WITHIN_S


def test_no_variables_of_services_reach_the_programs(manifests: Manifests) -> None:
    """Kubernetes would set SIMULATOR_PORT=tcp://..., and the simulator would not start."""
    for workload in manifests.workloads:
        assert pod_of(workload)["enableServiceLinks"] is False, name_of(workload)


def test_every_pod_meets_the_restricted_standard(manifests: Manifests) -> None:
    (namespace,) = manifests.of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in manifests.workloads:
        pod, container = pod_of(workload)["securityContext"], container_of(workload)["securityContext"]
        assert pod["runAsNonRoot"], name_of(workload)
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name_of(workload)
        assert container["capabilities"] == {"drop": ["ALL"]}, name_of(workload)
        assert not container["allowPrivilegeEscalation"], name_of(workload)
        assert container["readOnlyRootFilesystem"], name_of(workload)


def test_our_images_have_the_version_of_the_project(manifests: Manifests) -> None:
    version = metadata.version("productator")
    for workload in manifests.workloads:
        name, _, tag = container_of(workload)["image"].rpartition(":")
        assert tag == version if "productator" in name else re.fullmatch(r"[0-9.]+", tag)
        assert pod_labels(workload)["app.kubernetes.io/part-of"] == "productator"


def test_every_selector_finds_exactly_its_own_pods(manifests: Manifests) -> None:
    for service in manifests.of_kind("Service"):
        found = manifests.selected({"matchLabels": service["spec"]["selector"]})
        assert found == [name_of(service)]
    for owner in (*manifests.of_kind("Deployment", "StatefulSet", "PodDisruptionBudget"),):
        assert manifests.selected(owner["spec"]["selector"]) == [name_of(owner)]
    for scaler in manifests.of_kind("HorizontalPodAutoscaler"):
        assert manifests.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"])


def test_everything_is_closed_but_what_a_policy_opens(manifests: Manifests) -> None:
    policies = manifests.of_kind("NetworkPolicy")
    closed = manifests.named("NetworkPolicy", "closed")["spec"]

    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all(manifests.selected(policy["spec"]["podSelector"]) for policy in policies)


def test_the_proxy_is_the_only_way_in_and_the_refresher_the_only_way_to_the_offers_service(
    manifests: Manifests,
) -> None:
    (ingress,) = manifests.of_kind("Ingress")
    backends = {
        path["backend"]["service"]["name"]
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    outwards = manifests.named("NetworkPolicy", "to-offers-service")["spec"]["podSelector"]

    assert backends == {"proxy"}
    assert manifests.selected(outwards) == ["refresher"]
