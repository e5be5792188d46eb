"""What documents name in the code exists: files, folders and metrics."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from productator.ops.metrics import ApiMetrics
from refresher.metrics import Backlog, Metrics

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if path.name != "CHANGELOG.md"
)
FOLDERS = ("productator", "refresher", "simulator", "lab", "tests", "deploy")


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


def names_of(registry: CollectorRegistry) -> set[str]:
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in registry.collect()}


def named_in(section: str) -> set[str]:
    """The metrics that the table of this section of the operations names."""
    text = text_of("docs/operations.md").partition(f"### {section}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {re.sub("{.*}", "", name) for row in rows for name in re.findall("`([^`]+)`", row)}


def test_the_table_of_the_refreshers_metrics_names_all_of_them() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    Backlog(registry, period_s=30)

    assert {f"productator_refresher_{name}" for name in named_in("Metrics of the refresher")} == names_of(
        registry
    )


def test_the_table_of_the_apis_metrics_names_all_of_them() -> None:
    text = ApiMetrics(schema="0001", connections=3).page().decode()
    served = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))

    assert {f"productator_{name}" for name in named_in("Metrics of the API")} == served
