"""The reads of a product, its offers and one offer with Falcon and PyMySQL alone.

It checks nothing, pages nothing and answers no conditional request: it shows what the language, the driver
and the database need.
"""

import os
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import falcon
import pymysql

_OFFER = "id, product_id, remote_id, price, items_in_stock, created_at, updated_at"
_STALE_AFTER_S = 90

Row = tuple[Any, ...]


class Database:
    """One connection, opened when it is needed: a worker answers one request at a time."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: Any = None

    def rows(self, statement: str, *values: int) -> tuple[Row, ...]:
        if self._connection is None:
            self._connection = pymysql.connect(
                host=self._url.hostname or "127.0.0.1",
                port=self._url.port or 3306,
                user=self._url.username or "root",
                password=self._url.password or "",
                database=self._url.path[1:],
                autocommit=True,
            )
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            found: tuple[Row, ...] = cursor.fetchall()
            return found


class Product:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(self, _request: falcon.Request, response: falcon.Response, product_id: int) -> None:
        columns = "id, name, description, registered_at, created_at, updated_at"
        rows = self._database.rows(f"SELECT {columns} FROM products WHERE id = %s", product_id)
        if not rows:
            raise falcon.HTTPNotFound
        number, name, description, registered_at, created_at, updated_at = rows[0]
        response.media = {
            "id": number,
            "name": name,
            "description": description,
            "registration": "registered" if registered_at else "pending",
            "created_at": _time(created_at),
            "updated_at": _time(updated_at),
        }


class Offers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(self, _request: falcon.Request, response: falcon.Response, product_id: int) -> None:
        refreshes = self._database.rows(
            "SELECT refreshed_at FROM refreshes WHERE product_id = %s", product_id
        )
        if not refreshes:
            raise falcon.HTTPNotFound
        ((refreshed_at,),) = refreshes
        offers = self._database.rows(
            f"SELECT {_OFFER} FROM offers WHERE product_id = %s ORDER BY id",
            product_id,
        )
        age = None if refreshed_at is None else (datetime.utcnow() - refreshed_at).total_seconds()  # noqa: DTZ003 - as the driver reads times
        response.media = {
            "items": [_offer(row) for row in offers],
            "next": None,
            "refreshed_at": None if refreshed_at is None else _time(refreshed_at),
            "stale": age is None or age > _STALE_AFTER_S,
        }


class Offer:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(
        self, _request: falcon.Request, response: falcon.Response, product_id: int, offer_id: int
    ) -> None:
        rows = self._database.rows(
            f"SELECT {_OFFER} FROM offers WHERE id = %s AND product_id = %s",
            offer_id,
            product_id,
        )
        if not rows:
            raise falcon.HTTPNotFound
        response.media = _offer(rows[0])


def _offer(row: Row) -> dict[str, Any]:
    number, product_id, remote_id, price, items_in_stock, created_at, updated_at = row
    return {
        "id": number,
        "product_id": product_id,
        "source": "own" if remote_id is None else "external",
        "external_id": remote_id,
        "price": price,
        "currency": None,
        "items_in_stock": items_in_stock,
        "created_at": _time(created_at),
        "updated_at": _time(updated_at),
    }


def _time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds") + "Z"


def make_app() -> Any:
    database = Database(os.environ["DATABASE_URL"])
    app = falcon.App()
    app.add_route("/api/v1/products/{product_id:int}", Product(database))
    app.add_route("/api/v1/products/{product_id:int}/offers", Offers(database))
    app.add_route("/api/v1/products/{product_id:int}/offers/{offer_id:int}", Offer(database))
    return app
