"""Which routes are pages for people: they are no part of the API and its documents."""

from flask import Blueprint, Flask
from werkzeug.routing import Rule


class PageBlueprint(Blueprint):
    """Routes that answer HTML, feeds or files of pages."""


def is_page(app: Flask, rule: Rule) -> bool:
    blueprint, _, view = rule.endpoint.rpartition(".")
    return bool(view) and isinstance(app.blueprints.get(blueprint), PageBlueprint)
