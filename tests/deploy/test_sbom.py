"""`make sbom`: what the programs consist of."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import ROOT, run_tool


def pinned(requirements: Path) -> dict[str, set[str]]:
    """The hashes of each package of a locked file."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in requirements.read_text().splitlines():
        if match := re.match(r"([a-z0-9-]+)==", line):
            name = match[1]
        for digest in re.findall(r"--hash=sha256:([0-9a-f]+)", line):
            found.setdefault(name, set()).add(digest)
    return found


def hashes(component: dict[str, Any]) -> set[str]:
    references = component["externalReferences"]
    return {each["content"] for reference in references for each in reference.get("hashes", [])}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-refresher.txt"])
def test_the_list_of_a_programs_packages_has_each_of_them_with_its_hashes(name: str, tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    arguments = ["--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON", "-o", str(target)]
    made = run_tool("cyclonedx-py", "requirements", *arguments, str(ROOT / name))
    assert made.returncode == 0, made.stderr

    sbom = json.loads(target.read_text())

    assert {each["name"]: hashes(each) for each in sbom["components"]} == pinned(ROOT / name)
    assert sbom["metadata"]["component"]["name"] == "productator"


def test_the_program_that_lists_an_image_is_there() -> None:
    assert "Application: syft" in run_tool("syft", "version").stdout
