"""The rendered Kubernetes manifests, and the tools that render and check them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lab.databases import Missing
from tests.servers import skipped_if_missing

ROOT = Path(__file__).parents[2]
OVERLAYS = ("demo", "production", "production-replica")
_TOOLS = ROOT / ".venv-deploy" / "bin"

Manifest = dict[str, Any]


def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of `make deploy-tools`, which reaches no network and no cluster."""
    with skipped_if_missing():
        if not (_TOOLS / name).exists():
            raise Missing("deploy-tools", f"{name} is not installed: run `make deploy-tools`.")
    return subprocess.run(
        [_TOOLS / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "KUBECONFIG": os.devnull},
    )


def rendered(overlay: str) -> str:
    built = run_tool("kubectl", "kustomize", str(ROOT / "deploy" / "kubernetes" / "overlays" / overlay))
    assert built.returncode == 0, built.stderr
    assert not built.stderr, built.stderr
    return built.stdout


class Manifests:
    """All objects of one overlay."""

    def __init__(self, text: str) -> None:
        self.objects: list[Manifest] = list(yaml.safe_load_all(text))

    def of_kind(self, *kinds: str) -> list[Manifest]:
        return [each for each in self.objects if each["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = (each for each in self.of_kind(kind) if each["metadata"]["name"] == name)
        return found

    @property
    def workloads(self) -> list[Manifest]:
        return self.of_kind("Deployment", "StatefulSet", "Job")

    def selected(self, labels: Manifest) -> list[str]:
        """The workloads whose pods a selector finds."""
        return [name_of(each) for each in self.workloads if _matches(labels, pod_labels(each))]

    def variables(self, workload: Manifest) -> dict[str, str]:
        """The environment of the workload's container, from ConfigMaps and from its own list."""
        found: dict[str, str] = {}
        container = container_of(workload)
        for source in container.get("envFrom", []):
            found |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {each["name"]: each.get("value", "") for each in container.get("env", [])}


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def pod_of(workload: Manifest) -> Manifest:
    found: Manifest = workload["spec"]["template"]["spec"]
    return found


def pod_labels(workload: Manifest) -> dict[str, str]:
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def container_of(workload: Manifest) -> Manifest:
    (found,) = pod_of(workload)["containers"]
    container: Manifest = found
    return container


def secrets_of(workload: Manifest) -> set[str]:
    return {volume["secret"]["secretName"] for volume in pod_of(workload)["volumes"] if "secret" in volume}


def http_probes(workload: Manifest) -> Iterator[tuple[str, str]]:
    """Kind and path of each probe that asks over HTTP."""
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container_of(workload).get(kind, {})
        if "httpGet" in probe:
            yield kind, probe["httpGet"]["path"]


def _matches(selector: Manifest, labels: dict[str, str]) -> bool:
    equal = selector.get("matchLabels", {}).items() <= labels.items()
    among = all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))
    return equal and among
