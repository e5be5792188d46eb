"""Who may import whom: the arrows between our modules point one way."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("productator", "refresher", "simulator")
FILES = sorted(path for program in PROGRAMS for path in (ROOT / program).rglob("*.py"))

PRODUCTATOR = {
    "domain": set(),
    "words": set(),
    "drafts": {"domain"},
    "errors": set(),
    "options": {"domain"},
    "config": {"domain", "errors", "options"},
    "history": {"domain"},
    "engine": set(),
    "ops": {"domain"},
    "models": {"domain", "words"},
    "schema": {"models", "engine"},
    "offers_service": {"models", "domain", "errors", "engine"},
    "figures": {"domain", "history"},
    "services": {"models", "domain", "errors", "engine", "figures", "history", "words"},
    "transfer": {"domain", "drafts", "engine", "services"},
    "db": {"models", "engine", "errors"},
    "identity": {"domain", "errors"},
    "api": {"ops", "services", "models", "db", "domain", "drafts", "errors", "engine", "schema", "identity"}
    | {"figures"},
    "demo": {"config", "domain", "services", "engine"},
    "cli": {
        "api",
        "app",
        "config",
        "demo",
        "engine",
        "errors",
        "schema",
        "services",
        "domain",
        "models",
        "transfer",
    },
}
ANYTHING = {"app", "wsgi"}
REFRESHER = {"services", "offers_service", "models", "domain", "errors", "config", "ops", "engine", "schema"}
REFRESHER |= {"history"}
WITH_FLASK = {"api", "app", "db", "wsgi"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports; a name taken from a package that is a module counts as one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            named = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else str(node.module) for name in named)


def parts_of_ours(path: Path) -> set[str]:
    """The parts of productator, such as `api`, that the file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("productator.")}


def part(path: Path) -> str:
    """`api` for productator/api/x.py, `db` for productator/db.py."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_module_imports_only_what_it_may(path: Path) -> None:
    allowed = {
        "productator": PRODUCTATOR.get(part(path), set()) | {part(path)},
        "refresher": REFRESHER,
        "simulator": set(),
    }[path.relative_to(ROOT).parts[0]]

    assert parts_of_ours(path) <= allowed or part(path) in ANYTHING


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_programs_import_no_other_program_and_no_tests(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    others = {"productator", "refresher", "simulator", "tests", "migrations", "bench"} - {own}
    allowed = {"productator"} & ({"productator"} if own == "refresher" else set())

    assert {name.split(".")[0] for name in imports(path)} & others <= allowed


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_flask_stays_in_the_web_layer(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    is_web = path.is_relative_to(ROOT / "productator") and part(path) in WITH_FLASK

    assert is_web or not roots & {"flask", "flask_sqlalchemy", "werkzeug"}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_stand_outside_of_functions(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]

    assert not [node.lineno for node in inside if isinstance(node, ast.Import | ast.ImportFrom)]


def test_no_module_imports_itself_by_a_detour() -> None:
    arrows = {name: set(imports(path)) & MODULES.keys() - {name} for name, path in MODULES.items()}

    assert set(TopologicalSorter(arrows).static_order()) == MODULES.keys()


def test_the_table_names_every_part_of_productator() -> None:
    parts = {part(path) for path in FILES if path.is_relative_to(ROOT / "productator")}

    assert parts - {"__init__"} == PRODUCTATOR.keys() | ANYTHING


def test_the_contract_with_the_offers_service_is_pure() -> None:
    assert parts_of_ours(MODULES["productator.offers_service.contract"]) <= {"domain", "errors"}
