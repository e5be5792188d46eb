"""What the most common reads cost, in figures that do not depend on the machine.

python -m lab.common_reads    # records them; CI fails when a read needs a tenth more
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.test import create_environ, run_wsgi_app

from lab import databases
from productator.app import create_app
from productator.config import Settings
from productator.database import migrate
from productator.database.engine import make_engine

RECORDED = Path(__file__).with_suffix(".json")
OFFERS = 10
_TOLERANCE = 1.1
_CALLS = {"call", "c_call"}


@dataclass(frozen=True)
class ReadCost:
    statements: int
    # Calls of functions, those written in C included: they follow the processor time of a request.
    calls: int

    def is_within(self, recorded: "ReadCost") -> bool:
        return self.statements <= recorded.statements and self.calls <= recorded.calls * _TOLERANCE


def measured(app: Flask) -> dict[str, ReadCost]:
    """By the name of each read; creates what it reads."""
    client = app.test_client()
    product = client.post("/api/v1/products", json={"name": "Kettle"}).get_json()["id"]
    for price in range(OFFERS):
        body = {"price": price, "items_in_stock": 1}
        offer = client.post(f"/api/v1/products/{product}/offers", json=body).get_json()["id"]
    paths = {
        "product": f"/api/v1/products/{product}",
        "offers of a product": f"/api/v1/products/{product}/offers",
        "offer": f"/api/v1/products/{product}/offers/{offer}",
        "products": "/api/v1/products",
        "offers": "/api/v1/offers",
    }
    return {name: _cost(app, path) for name, path in paths.items()}


def recorded(dialect: str) -> dict[str, ReadCost]:
    return {name: ReadCost(**cost) for name, cost in json.loads(RECORDED.read_text())[dialect].items()}


def _cost(app: Flask, path: str) -> ReadCost:
    _ask(app, path)  # what is made at the first request is there afterwards
    statements = _Statements()
    event.listen(Engine, "before_cursor_execute", statements.count)
    try:
        _ask(app, path)
    finally:
        event.remove(Engine, "before_cursor_execute", statements.count)
    return ReadCost(statements.number, _calls(app, path))


class _Statements:
    def __init__(self) -> None:
        self.number = 0

    def count(self, *_: object) -> None:
        self.number += 1


def _calls(app: Flask, path: str) -> int:
    number = 0

    def count(_frame: object, what: str, _argument: object) -> None:
        nonlocal number
        number += what in _CALLS

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        _ask(app, path)
    finally:
        sys.setprofile(before)
    return number


def _ask(app: Flask, path: str) -> None:
    """As a server does, without what the test client does around it."""
    _, status, _ = run_wsgi_app(app, create_environ(path), buffered=True)
    assert status == "200 OK"


def _record() -> None:
    costs = {}
    with databases.mariadb_url() as server, tempfile.TemporaryDirectory() as folder:
        for new in (databases.SqliteFiles(Path(folder)).new, databases.Server(server).new):
            url = new()
            engine = make_engine(url)
            migrate.migrate(engine)
            settings = Settings.load(None, {"DATABASE_URL": url, "PRODUCTATOR_AUTH": "off"})
            found = measured(create_app(settings))
            costs[engine.dialect.name] = {name: vars(cost) for name, cost in found.items()}
            engine.dispose()
    RECORDED.write_text(json.dumps(costs, indent=2) + "\n")


if __name__ == "__main__":
    _record()
