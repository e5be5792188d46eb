"""What documents name in the code exists: files, folders, layers, tables and metrics."""

import re
import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from productator.models import Base
from productator.ops.metrics import ApiMetrics
from refresher.metrics import Backlog, Metrics

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if path.name != "CHANGELOG.md"
)
FOLDERS = ("productator", "refresher", "notifier", "simulator", "lab", "tests", "deploy")


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


def section_of(document: str, heading: str) -> str:
    """Up to the next heading of any level."""
    return text_of(document).partition(f"# {heading}\n")[2].partition("\n#")[0]


def first_column(section: str) -> list[str]:
    """What the first cells of its table name."""
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall("`([^`]+)`", cell)]


def test_the_architecture_names_every_folder_of_the_programs_and_tests() -> None:
    """In the first column by its path, or, like those of `tests/`, by its name in the second one."""
    section = section_of("docs/architecture.md", "Folders")
    programs = ("productator", "refresher", "notifier", "tests")
    folders = {path.parent for program in programs for path in ROOT.glob(f"{program}/*/*.py")}
    named = {ROOT / name for name in re.findall(r"`([\w/.]+)`", section)}
    of_tests = {ROOT / "tests" / name for name in re.findall(r"`(\w+)/`", section)}

    assert folders - named - of_tests == set()


def test_the_tables_of_the_architecture_are_those_of_the_models() -> None:
    named = first_column(section_of("docs/architecture.md", "The tables"))

    assert sorted(named) == sorted(Base.metadata.tables)


def test_the_layers_of_the_architecture_are_those_that_import_linter_checks() -> None:
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    checked = {
        contract["containers"][0]: [re.split(r" [|:] ", layer) for layer in contract["layers"]]
        for contract in contracts
        if contract["type"] == "layers"
    }
    block = section_of("docs/architecture.md", "Who imports whom").split("```")[1]
    drawn = [part.splitlines() for part in block.strip().split("\n\n")]

    assert {program: [layer.strip().split(", ") for layer in layers] for program, *layers in drawn} == checked


def names_of(registry: CollectorRegistry) -> set[str]:
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in registry.collect()}


def named_in(section: str) -> set[str]:
    """The metrics that the table of this section of the operations names."""
    return {re.sub("{.*}", "", name) for name in first_column(section_of("docs/operations.md", section))}


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
