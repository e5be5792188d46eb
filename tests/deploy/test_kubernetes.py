"""The Kubernetes manifests are valid, confined, closed, and give each program its settings and secrets."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from productator.config import Settings
from productator.config.settings import SETTINGS
from tests.deploy.manifests import (
    ROOT,
    Manifests,
    container_of,
    name_of,
    pod_labels,
    pod_of,
    rendered,
    run_tool,
    secrets_of,
)

OURS = ("api", "refresher", "notifier", "migrate")
# Of the official image of MySQL.
MYSQL_VARIABLES = {"MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD_FILE", "MYSQL_RANDOM_ROOT_PASSWORD"}
# Of start.sh; NAMESPACE is for API_ADDRESS.
PROXY_VARIABLES = {"API_ADDRESS", "BALANCERS", "NAMESPACE"}


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

    of_production = {"productator-replica", "productator-keys"}
    assert secrets["api"] - of_production == {"productator-database", "productator-api"}
    assert secrets["refresher"] <= {"productator-database", "productator-offers"}
    assert secrets["notifier"] - {"productator-keys"} == {"productator-database"}
    assert secrets["proxy"] == set()


def test_in_production_api_and_notifier_have_the_same_key_for_secrets_of_channels() -> None:
    manifests = Manifests(rendered("production"))
    having = [name_of(each) for each in manifests.workloads if "productator-keys" in secrets_of(each)]
    files = {
        manifests.variables(manifests.named("Deployment", each))["PRODUCTATOR_SECRET_KEY_FILE"]
        for each in having
    }

    assert sorted(having) == ["api", "notifier"]
    assert files == {"/run/secrets/keys/secret-key"}


def test_only_the_api_knows_and_reaches_a_replica_for_reads() -> None:
    manifests = Manifests(rendered("production-replica"))
    (policy,) = (each for each in manifests.of_kind("NetworkPolicy") if name_of(each) == "to-replica")
    knowing = [name_of(each) for each in manifests.workloads if "productator-replica" in secrets_of(each)]

    assert knowing == manifests.selected(policy["spec"]["podSelector"]) == ["api"]
    assert policy["spec"]["egress"]
    assert {"DATABASE_REPLICA_URL_FILE", "DATABASE_REPLICA_LAG_S"} <= manifests.variables(
        manifests.named("Deployment", "api")
    ).keys()


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
