"""Documents say what the code does: settings, schema, commands and routes."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from click import Group
from click.testing import CliRunner
from flask import Flask

from productator import cli
from productator.api.conventions.page_routes import is_page
from productator.api.openapi import document
from productator.app import create_app
from productator.config import documents
from productator.config.declaration import Setting
from productator.config.settings import SETTINGS
from productator.database import migrate
from productator.models import Base
from tests import factories
from tests.servers import dispose_of

ROOT = Path(__file__).parents[2]
# The password that docker-compose.yml gives its own database, for development.
DOCUMENTED = {"DATABASE_PASSWORD": "productator"}


def text_of(name: str) -> str:
    return ROOT.joinpath(name).read_text(encoding="utf-8")


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    dispose_of(app)
    return app


def test_the_config_file_is_the_one_that_follows_from_the_declarations() -> None:
    assert text_of("config.cfg") == documents.config_file()


def test_the_table_of_settings_is_the_one_that_follows_from_the_declarations() -> None:
    assert text_of("docs/settings.md") == documents.table()


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.variable)
def test_every_setting_is_in_the_config_file_below_its_variable(setting: Setting) -> None:
    section = text_of("config.cfg").partition(f"[{setting.section}]\n")[2].partition("\n[")[0]

    assert re.search(
        rf"^# {setting.variable}\b[^=]*?\n{setting.key} = ?{re.escape(setting.default)}$",
        section,
        re.MULTILINE,
    )


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.variable)
def test_every_setting_is_in_the_table_of_settings(setting: Setting) -> None:
    assert f"| `{setting.key}` | `{setting.variable}`" in text_of("docs/settings.md")


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS.values() if setting.secret],
    ids=lambda setting: setting.variable,
)
def test_the_config_file_holds_no_secret(setting: Setting) -> None:
    assert setting.default == DOCUMENTED.get(setting.variable, "")


def test_the_dump_is_the_newest_schema() -> None:
    assert text_of("dump.sql") == migrate.dump(Base.metadata)


@pytest.mark.parametrize("path", ["ENDPOINTS.md", "productator/api/openapi/examples.py"])
def test_examples_show_the_newest_schema(path: str) -> None:
    newest = migrate.newest_revision()

    assert f'"schema": "{newest}", "expected_schema": "{newest}"' in text_of(path)


def test_the_readme_names_every_command_for_alerts() -> None:
    alerts = cli.main.commands["alerts"]
    assert isinstance(alerts, Group)
    row = next(line for line in text_of("README.md").splitlines() if "`productator alerts " in line)

    assert set(alerts.commands) == set(re.findall(r"`(?:productator alerts )?(\w+)`", row))


def test_the_api_tells_the_version_of_the_package_which_is_the_newest_of_the_changelog(app: Flask) -> None:
    version = metadata.version("productator")
    newest = re.search(r"^## ([0-9.]+)", text_of("CHANGELOG.md"), re.MULTILINE)

    assert newest
    assert document.build(app)["info"]["version"] == version == newest[1]
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == version


def test_the_command_tells_the_version_of_the_package() -> None:
    result = CliRunner().invoke(cli.main, ["--version"])

    assert (result.exit_code, result.output) == (0, f"productator {metadata.version('productator')}\n")


def test_the_readmes_commands_are_targets_of_the_makefile() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)(?=[`\n])", text_of("README.md")))
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))

    assert named
    assert named <= targets


def routes(app: Flask) -> set[str]:
    """Method and path of every route, in the document's words."""
    return {
        f"{method} {re.sub('<[^:]*:([a-z_]+)>', r'{}', rule.rule).format(*named(rule.rule))}"
        for rule in app.url_map.iter_rules()
        if not is_page(app, rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def named(rule: str) -> list[str]:
    names = re.findall("<[^:]*:([a-z_]+)>", rule)
    return ["{id}" if name == "product_id" else f"{{{name}}}" for name in names]


def test_the_endpoints_document_describes_every_route_and_no_other(app: Flask) -> None:
    described = re.findall(r"^### ([A-Z]+ /\S*)$", text_of("ENDPOINTS.md"), re.MULTILINE)

    assert len(described) == len(set(described))
    assert set(described) == routes(app)


README_LINES = 130
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= README_LINES


def test_the_readme_names_every_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):.*## ", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z][a-z-]*)`", text_of("README.md")))

    assert targets
    assert named == targets


def test_the_json_of_the_readme_is_pretty_printed() -> None:
    blocks = re.findall(r"^```json\n(.*?)\n```$", text_of("README.md"), re.MULTILINE | re.DOTALL)

    assert blocks
    assert [json.dumps(json.loads(block), indent=4) for block in blocks] == blocks


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text_of(name))

    assert [link for link in links if not leads_somewhere(name, *link)] == []


def leads_somewhere(document: str, path: str, anchor: str) -> bool:
    target = ROOT.joinpath(document).parent / path if path else ROOT / document
    return target.exists() and (not anchor or anchor in anchors_of(target.read_text(encoding="utf-8")))


def anchors_of(document: str) -> set[str]:
    """As code hosts derive them from headings."""
    headings = re.findall(r"^#+ (.*)$", document, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_in_the_list_of_decisions() -> None:
    files = {path.name for path in ROOT.glob("docs/decisions/*.md")} - {"README.md"}

    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", text_of("docs/decisions/README.md"))) == files


def test_every_dependency_has_a_reason() -> None:
    wanted = {
        line
        for path in ROOT.glob("requirements*.in")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    rows = re.findall(r"^\| (`.*?) \| .+ \|$", text_of("docs/decisions/dependencies.md"), re.MULTILINE)

    assert {name for row in rows for name in re.findall("`([^`]+)`", row)} == wanted


def test_the_extra_for_traces_is_what_is_locked_for_it() -> None:
    lines = text_of("requirements-otel.in").splitlines()
    extra = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]["otel"]

    assert extra == [line for line in lines if not line.startswith("#")]


def test_the_changelog_keeps_its_form() -> None:
    lines = text_of("CHANGELOG.md").splitlines()
    unreleased, *releases = [line for line in lines if line.startswith("## ")]

    assert unreleased == "## Unreleased"
    assert [line for line in releases if not re.fullmatch(r"## [\d.]+ - \d{4}-\d\d-\d\d", line)] == []
    assert {line for line in lines if line.startswith("###")} <= {
        f"### {name}" for name in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }
