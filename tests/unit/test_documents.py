"""Documents say what the code does: settings, schema, commands and routes."""

import configparser
import re
import tomllib
from pathlib import Path

import pytest
from flask import Flask

from productator.api.openapi import document
from productator.app import create_app
from productator.database import migrate
from productator.models import Base
from productator.options import OPTIONS
from tests import factories
from tests.conftest import dispose_of

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config.cfg"
# The password that docker-compose.yml gives its own database, for development.
DOCUMENTED = {"DATABASE_PASSWORD": "productator"}


def text_of(name: str) -> str:
    return ROOT.joinpath(name).read_text(encoding="utf-8")


@pytest.fixture
def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(CONFIG.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_every_setting_stands_in_the_config_file_below_its_variable(option: object) -> None:
    section = text_of("config.cfg").partition(f"[{option.section}]\n")[2].partition("\n[")[0]

    assert re.search(rf"^# {option.variable}\b[^=]*?\n{option.key} =", section, re.MULTILINE)


def test_the_config_file_names_nothing_else(config: configparser.ConfigParser) -> None:
    named = {(section, key) for section in config.sections() for key in config[section]}

    assert named == {(option.section, option.key) for option in OPTIONS}


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.secret], ids=lambda option: option.variable
)
def test_the_config_file_holds_no_secret(config: configparser.ConfigParser, option: object) -> None:
    assert config[option.section][option.key] == DOCUMENTED.get(option.variable, "")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_every_setting_stands_in_the_readme(option: object) -> None:
    assert f"`{option.variable}`" in text_of("README.md")


def test_the_dump_is_the_newest_schema() -> None:
    assert text_of("dump.sql") == migrate.dump(Base.metadata)


def test_api_package_and_changelog_tell_one_version() -> None:
    package = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    newest = re.search(r"^## ([0-9.]+)", text_of("CHANGELOG.md"), re.MULTILINE)

    assert newest
    assert document.VERSION == package == newest[1]


def test_the_readmes_commands_are_targets_of_the_makefile() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)(?=[`\n])", text_of("README.md")))
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))

    assert named
    assert named <= targets


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    dispose_of(app)
    return app


def routes(app: Flask) -> set[str]:
    """Method and path of every route, in the document's words."""
    return {
        f"{method} {re.sub('<[^:]*:([a-z_]+)>', r'{}', rule.rule).format(*named(rule.rule))}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def named(rule: str) -> list[str]:
    names = re.findall("<[^:]*:([a-z_]+)>", rule)
    return ["{id}" if name == "product_id" else f"{{{name}}}" for name in names]


def test_the_endpoints_document_describes_every_route_and_no_other(app: Flask) -> None:
    described = re.findall(r"^### ([A-Z]+ /\S*)$", text_of("ENDPOINTS.md"), re.MULTILINE)

    assert len(described) == len(set(described))
    assert set(described) == routes(app)
