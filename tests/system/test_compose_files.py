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
WIRED = {
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_URL",
    "LISTEN_HOST",
    "PRODUCTATOR_TRUSTED_PROXIES",
    "REFRESHER_METRICS_PORT",
    "NOTIFIER_METRICS_PORT",
}
# Variables of docker-compose.yml that are no settings of the two programs.
OF_COMPOSE = {
    "BALANCERS",
    "DATABASE_ROOT_PASSWORD",
    "DEMO",
    "PUBLISH_ADDRESS",
    "SIMULATOR_GENERATION",
    "SIMULATOR_OFFERS",
    "SIMULATOR_PORT",
    "SIMULATOR_TICK",
}
FILES = {f"{setting.variable}_FILE" for setting in SETTINGS.values() if setting.secret}
OF_THE_API = {
    "DATABASE_REPLICA_URL",
    "PRODUCTATOR_ADMIN_TOKEN",
    "PRODUCTATOR_PREVIOUS_SECRET_KEY",
    "PRODUCTATOR_SECRET_KEY",
}
OF_THE_REFRESHER = {"OFFERS_MS_TOKEN", "OFFERS_MS_REFRESH_TOKEN"}


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


def test_each_service_gets_only_its_own_secrets(services: dict[str, Any]) -> None:
    for name in ("api", "migrate"):
        assert not OF_THE_REFRESHER & services[name]["environment"].keys(), name
    assert not OF_THE_API & services["refresher"]["environment"].keys()
    for name in ("proxy", "simulator"):
        assert "database-password:/run/secrets/database:ro" not in services[name].get("volumes", []), name


def test_no_password_is_the_same_for_everybody(services: dict[str, Any]) -> None:
    for service in services.values():
        for variable, value in service.get("environment", {}).items():
            if variable.endswith(("PASSWORD", "TOKEN", "KEY")):
                assert not _default(value), variable


def test_every_service_is_limited(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert service["logging"]["options"]["max-size"], name


def test_the_greeting_names_the_port_that_the_proxy_publishes(services: dict[str, Any]) -> None:
    assert services["migrate"]["environment"]["PORT"] == "${PORT:-}"
    assert services["proxy"]["ports"] == ["${PUBLISH_ADDRESS:-127.0.0.1}:${PORT:-6606}:8080"]


def test_services_that_are_scaled_have_no_fixed_port(services: dict[str, Any]) -> None:
    assert "ports" not in services["api"]
    assert services["refresher"]["ports"] == ["127.0.0.1::6608"]


def test_the_database_publishes_no_port_so_that_compose_run_can(services: dict[str, Any]) -> None:
    assert "ports" not in services["db"]


def test_published_ports_are_those_of_the_programs(services: dict[str, Any], shipped: Settings) -> None:
    published = {name: _default(port) for name in services for port in services[name].get("ports", [])}
    simulator = read_options([], {}).port
    assert published == {
        "proxy": f"127.0.0.1:{shipped.port}:8080",
        "refresher": f"127.0.0.1::{shipped.refresher_metrics_port}",
        "notifier": f"127.0.0.1::{shipped.notifier_metrics_port}",
        "simulator": f"127.0.0.1:{simulator}:{simulator}",
    }


def test_compose_passes_every_setting_and_nothing_else(compose_text: str) -> None:
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", compose_text))
    variables = {setting.variable for setting in SETTINGS.values()} - WIRED
    assert read - FILES == variables | OF_COMPOSE


def test_our_programs_are_confined(services: dict[str, Any]) -> None:
    for name in services.keys() - {"db"}:
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name
