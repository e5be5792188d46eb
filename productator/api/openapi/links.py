"""Links from a request that creates a row to the operations on that row."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

Json = dict[str, Any]


def of_created(app: Flask, rule: Rule, names: Mapping[str, str]) -> Json:
    """Every operation on the new row; `names` maps path arguments to their names in the document."""
    return {
        operation_id: {"operationId": operation_id, "parameters": _parameters(rule, new, names)}
        for operation_id, new in _operations_on_the_new_row(app, rule)
    }


def _operations_on_the_new_row(app: Flask, rule: Rule) -> Iterator[tuple[str, str]]:
    """Each operation, and its argument for the new row's id."""
    for other in app.url_map.iter_rules():
        new = other.arguments - rule.arguments
        if len(new) == 1 and other.rule.startswith(f"{rule.rule}/<"):
            yield other.endpoint.rpartition(".")[2], *new


def _parameters(rule: Rule, new: str, names: Mapping[str, str]) -> Json:
    given = (names.get(name, name) for name in rule.arguments)
    return {name: f"$request.path.{name}" for name in given} | {names.get(new, new): "$response.body#/id"}
