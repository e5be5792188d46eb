"""What documents name in the code exists: files, folders and metrics."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from refresher.metrics import Backlog, Metrics

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if path.name != "CHANGELOG.md"
)
FOLDERS = ("productator", "refresher", "simulator", "lab", "tests")


def text_of(name: str) -> str:
    return ROOT.joinpath(name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def files() -> list[str]:
    found = [path for folder in FOLDERS for path in ROOT.joinpath(folder).rglob("*") if path.is_file()]
    return [f"/{path.relative_to(ROOT)}" for path in [*found, *ROOT.iterdir()]]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document: str, files: list[str]) -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|ini|cfg|toml|sql|yml))`", text_of(document))

    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []


def test_every_folder_that_the_architecture_names_exists() -> None:
    named = re.findall(r"^\| `([\w/]+/)`", text_of("docs/architecture.md"), re.MULTILINE)

    assert named
    assert [name for name in named if not ROOT.joinpath(name).is_dir()] == []


def test_the_table_of_metrics_names_all_of_them() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    Backlog(registry, period_s=30)
    metrics = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in registry.collect()
    }
    section = text_of("docs/operations.md").partition("### Metrics of the refresher\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    named = {re.sub("{.*}", "", name) for row in rows for name in re.findall("`([^`]+)`", row)}

    assert {f"productator_refresher_{name}" for name in named} == metrics
