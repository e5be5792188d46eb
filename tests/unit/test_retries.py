"""Retries: every view runs again when the database rolls its transaction back."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from productator.app import create_app
from tests import factories
from tests.api.checks import failure
from tests.narrowing import existing
from tests.servers import dispose_of

DEADLOCK = 1213


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    yield app
    dispose_of(app)


def request(app: Flask, rule: Rule, method: str) -> int:
    """The status of a request to this route."""
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, 1))
    return app.test_client().open(path, method=method).status_code


def failing_once(runs: Counter[str], endpoint: str) -> Callable[..., str]:
    """Stands for a view whose first transaction ends in a deadlock."""

    def view(**_: object) -> str:
        runs[endpoint] += 1
        if runs[endpoint] == 1:
            raise failure(DEADLOCK)
        return "done"

    return view


def test_every_view_runs_again_after_a_deadlock(app: Flask) -> None:
    runs: Counter[str] = Counter()
    app.view_functions = {name: failing_once(runs, name) for name in app.view_functions}
    routes = {rule.endpoint: rule for rule in app.url_map.iter_rules()}

    statuses = {
        name: request(app, rule, min(existing(rule.methods) - {"HEAD", "OPTIONS"}))
        for name, rule in routes.items()
    }

    assert statuses == dict.fromkeys(app.view_functions, 200)
    assert runs == dict.fromkeys(app.view_functions, 2)


def test_a_view_without_a_failure_runs_once(app: Flask) -> None:
    runs: Counter[str] = Counter({"probes.livez": 1})
    app.view_functions["probes.livez"] = failing_once(runs, "probes.livez")

    assert app.test_client().get("/livez").status_code == 200
    assert runs == {"probes.livez": 2}


def test_a_view_that_meets_a_deadlock_each_time_runs_four_times(app: Flask) -> None:
    runs: Counter[str] = Counter()

    def view() -> str:
        runs["livez"] += 1
        raise failure(DEADLOCK)

    app.view_functions["probes.livez"] = view

    assert app.test_client().get("/livez").status_code == 503
    assert runs == {"livez": 4}
