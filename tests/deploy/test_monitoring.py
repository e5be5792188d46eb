"""Alarms and dashboard are valid, explained and agree with the programs. tests/system runs them."""

import re
import subprocess
from itertools import combinations

import pytest
import yaml

from lab.processes.prometheus import installed
from productator.config import Settings
from tests.deploy import alarms
from tests.deploy.alarms import MONITORING, Panel, read
from tests.deploy.manifests import ROOT
from tests.servers import skipped_if_missing

NAMES = [rule["alert"] for rule in alarms.rules()]


def promtool(*arguments: str) -> str:
    """What promtool prints; fails with it."""
    with skipped_if_missing():
        path = installed("promtool")
    done = subprocess.run(
        [path, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False, timeout=60
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    return printed


def test_the_configuration_of_prometheus_is_valid() -> None:
    assert "SUCCESS" in promtool("check", "config", "--lint=all", "prometheus.yml")


def test_the_rules_are_valid() -> None:
    assert f"{len(NAMES)} rules found" in promtool(
        "check", "rules", "--lint=all", "--lint-fatal", "rules.yml"
    )


def test_the_alarms_fire_when_they_should_and_else_do_not() -> None:
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


@pytest.mark.parametrize("name", NAMES)
def test_every_alarm_is_tested_firing_and_silent(name: str) -> None:
    expected = [
        bool(test.get("exp_alerts"))
        for case in read("rules_test.yml")["tests"]
        for test in case["alert_rule_test"]
        if test["alertname"] == name
    ]

    assert set(expected) == {True, False}


@pytest.mark.parametrize("rule", alarms.rules(), ids=NAMES)
def test_every_alarm_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{str(rule['alert']).lower()}"


def test_every_alarm_has_its_section_and_every_section_its_alarm() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^### Alarms\n(.*?)(?=^### |^## )", text, re.MULTILINE | re.DOTALL)

    assert re.findall(r"^#### (.*)$", section, re.MULTILINE) == NAMES


def test_prometheus_scrapes_the_services_of_compose_at_their_ports() -> None:
    shipped = Settings.load(str(ROOT / "config.cfg"), {})
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    scraped = {
        (name, target["port"])
        for job in read("prometheus.yml")["scrape_configs"]
        for target in job["dns_sd_configs"]
        for name in target["names"]
    }

    assert scraped == {
        ("api", shipped.port),
        ("refresher", shipped.refresher_metrics_port),
        ("notifier", shipped.notifier_metrics_port),
    }
    assert {name for name, _ in scraped} <= services.keys()


def test_rules_and_dashboard_ask_for_jobs_that_prometheus_has() -> None:
    jobs = {job["job_name"] for job in read("prometheus.yml")["scrape_configs"]}
    asked = {
        job
        for expression in (*alarms.queries(), *(rule["expr"] for rule in alarms.rules()))
        for job in re.findall(r'job="([^"]*)"', expression)
    }

    assert asked == jobs


def test_monitoring_starts_only_when_it_is_asked_for_and_listens_on_loopback() -> None:
    for service in read("compose.yml")["services"].values():
        assert service["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_monitoring_leaves_the_simulator_running_where_it_is_the_offers_service() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    profiles = [re.sub(r"\$\{\w+:\+[^}]*\}", "", name) for name in services["simulator"]["profiles"]]

    assert profiles == ["", "monitoring"]


def test_compose_mounts_what_exists_where_the_programs_look_for_it() -> None:
    services = read("compose.yml")["services"]
    mounts = dict(
        mount.removesuffix(":ro").split(":")
        for service in services.values()
        for mount in service["volumes"]
        if mount.startswith("./")
    )
    (provider,) = read("grafana/provisioning/dashboards/productator.yml")["providers"]

    assert all((ROOT / source).exists() for source in mounts)
    assert mounts["./deploy/monitoring/grafana/dashboards"] == provider["options"]["path"]


@pytest.mark.parametrize("panel", alarms.panels(), ids=[panel["title"] for panel in alarms.panels()])
def test_every_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


@pytest.mark.parametrize("panel", alarms.panels(), ids=[panel["title"] for panel in alarms.panels()])
def test_every_query_of_a_panel_has_a_name_of_its_own(panel: Panel) -> None:
    names = [target["refId"] for target in panel["targets"]]

    assert all(target["expr"].strip() for target in panel["targets"])
    assert all(names)
    assert len(set(names)) == len(names)


def test_the_dashboard_offers_the_data_source_that_its_panels_name() -> None:
    dashboard = read("grafana/dashboards/productator.json")
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}

    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    # Grafana upgrades dashboards of older schemas; from this one on the file is as the panels are written.
    assert dashboard["schemaVersion"] >= 39
    assert dashboard["uid"]


def test_panels_fit_the_grid() -> None:
    for panel in read("grafana/dashboards/productator.json")["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        assert min(place["w"], place["h"]) >= 1


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    shown = read("grafana/dashboards/productator.json")["panels"]

    assert len({panel["id"] for panel in shown}) == len(shown)
    assert not any(_overlap(one["gridPos"], other["gridPos"]) for one, other in combinations(shown, 2))


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not beside and not below
