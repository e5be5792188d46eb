"""The container files agree with the programs and with each other. Needs no container engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from productator.config import Settings
from productator.config.settings import SETTINGS
from simulator.options import read_options

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile.api", "Dockerfile.refresher", "simulator/Dockerfile")
# Fixed in docker-compose.yml by the way the services are connected.
WIRED = {"DATABASE_URL", "DATABASE_HOST", "DATABASE_PORT", "LISTEN_HOST"}
# Variables of docker-compose.yml that are no settings of the two programs.
OF_COMPOSE = {
    "DATABASE_ROOT_PASSWORD",
    "DEMO",
    "SIMULATOR_GENERATION",
    "SIMULATOR_OFFERS",
    "SIMULATOR_PORT",
    "SIMULATOR_TICK",
}


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(compose_text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(compose_text)["services"]
    return found


@pytest.fixture(scope="module")
def shipped() -> Settings:
    return Settings.load(str(ROOT / "config.cfg"), {"DATABASE_HOST": "127.0.0.1"})


def _default(text: str) -> str:
    """The text with the defaults of its variables, as compose reads it in an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def _build_stage(dockerfile: str) -> str:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    return text[text.index("FROM ") : text.index("\nFROM ", text.index("AS build"))]


def test_both_dockerfiles_start_with_the_same_stage_so_that_it_is_built_once() -> None:
    assert _build_stage("Dockerfile.api") == _build_stage("Dockerfile.refresher")


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_run_as_a_numbered_user_that_is_not_root(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerignore_lets_through_what_a_dockerfile_copies(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    copied = {
        name
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
        for name in sources.split()
    }
    let_through = set(
        re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert copied <= let_through


def test_the_database_is_the_one_that_config_cfg_names(services: dict[str, Any], shipped: Settings) -> None:
    database = {key: _default(value) for key, value in services["db"]["environment"].items()}
    user, password, name = (database[f"MYSQL_{part}"] for part in ("USER", "PASSWORD", "DATABASE"))
    assert shipped.database_url == f"mysql+pymysql://{user}:{password}@127.0.0.1:3306/{name}"


def test_the_database_publishes_no_port_so_that_compose_run_can(services: dict[str, Any]) -> None:
    assert "ports" not in services["db"]


def test_published_ports_are_those_of_the_programs(services: dict[str, Any], shipped: Settings) -> None:
    published = {name: _default(port) for name in services for port in services[name].get("ports", [])}
    simulator = read_options([], {}).port
    assert published == {
        "api": f"{shipped.port}:{shipped.port}",
        "refresher": f"127.0.0.1:{shipped.refresher_metrics_port}:{shipped.refresher_metrics_port}",
        "simulator": f"127.0.0.1:{simulator}:{simulator}",
    }


def test_compose_passes_every_setting_and_nothing_else(compose_text: str) -> None:
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", compose_text))
    assert read == {setting.variable for setting in SETTINGS.values()} - WIRED | OF_COMPOSE


def test_our_programs_are_confined(services: dict[str, Any]) -> None:
    for name in services.keys() - {"db"}:
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name
