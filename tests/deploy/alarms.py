"""The alarms and the dashboard as they are shipped."""

import json
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"

Panel = dict[str, Any]


def read(name: str) -> Any:
    """A YAML or JSON file of deploy/monitoring/."""
    text = (MONITORING / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def rules() -> list[dict[str, Any]]:
    return [rule for group in read("rules.yml")["groups"] for rule in group["rules"]]


def panels() -> list[Panel]:
    """Those of the dashboard that show something."""
    found: list[Panel] = read("grafana/dashboards/productator.json")["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]
