"""The common requests with Falcon and PyMySQL alone, for uWSGI.

It checks next to nothing and answers no conditional request: it shows what the language, the driver and the
database need.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import falcon
import pymysql

_PRODUCT = "id, name, description, registered_at, created_at, updated_at"
_OFFER = "id, product_id, remote_id, price, items_in_stock, created_at, updated_at"
_STALE_AFTER_S = 90

Row = tuple[Any, ...]


class Database:
    """One connection, opened when it is needed: a worker answers one request at a time."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: Any = None

    def rows(self, statement: str, *values: int) -> tuple[Row, ...]:
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            found: tuple[Row, ...] = cursor.fetchall()
            return found

    def cursor(self) -> Any:
        if self._connection is None:
            self._connection = pymysql.connect(
                host=self._url.hostname or "127.0.0.1",
                port=self._url.port or 3306,
                user=self._url.username or "root",
                password=self._url.password or "",
                database=self._url.path[1:],
                autocommit=True,
            )
        return self._connection.cursor()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """One cursor; what it writes is committed together."""
        with self.cursor() as cursor:
            self._connection.begin()
            try:
                yield cursor
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise


class Products:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        limit = request.get_param_as_int("limit", default=50, min_value=1, max_value=200)
        after = request.get_param_as_int("after", default=0)
        rows = self._database.rows(
            f"SELECT {_PRODUCT} FROM products WHERE id > %s ORDER BY id LIMIT %s", after, limit + 1
        )
        following = None
        if len(rows) > limit:
            following = f"/api/v1/products?limit={limit}&after={rows[limit - 1][0]}"
        response.media = {"items": [_product(row) for row in rows[:limit]], "next": following}

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        body, now = request.media, _now()
        if not body["name"]:
            raise falcon.HTTPUnprocessableEntity
        columns = "name, description, remote_id, version, created_at, updated_at"
        values = (body["name"], body["description"], str(uuid4()), 1, now, now)
        with self._database.transaction() as cursor:
            cursor.execute(f"INSERT INTO products ({columns}) VALUES (%s, %s, %s, %s, %s, %s)", values)
            number = cursor.lastrowid
            cursor.execute(
                "INSERT INTO refreshes (product_id, due_at, failures) VALUES (%s, %s, 0)", (number, now)
            )
        response.status = falcon.HTTP_201
        response.media = _product((number, body["name"], body["description"], None, now, now))


class Product:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(self, _request: falcon.Request, response: falcon.Response, product_id: int) -> None:
        rows = self._database.rows(f"SELECT {_PRODUCT} FROM products WHERE id = %s", product_id)
        if not rows:
            raise falcon.HTTPNotFound
        response.media = _product(rows[0])


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
        age = None if refreshed_at is None else (_now() - refreshed_at).total_seconds()
        response.media = {
            "items": [_offer(row) for row in offers],
            "next": None,
            "refreshed_at": None if refreshed_at is None else _time(refreshed_at),
            "stale": age is None or age > _STALE_AFTER_S,
        }

    def on_post(self, request: falcon.Request, response: falcon.Response, product_id: int) -> None:
        price, items_in_stock, now = request.media["price"], request.media["items_in_stock"], _now()
        if price < 0 or items_in_stock < 0:
            raise falcon.HTTPUnprocessableEntity
        columns = "product_id, price, items_in_stock, version, created_at, updated_at"
        values = (product_id, price, items_in_stock, 1, now, now)
        try:
            with self._database.cursor() as cursor:
                cursor.execute(f"INSERT INTO offers ({columns}) VALUES (%s, %s, %s, %s, %s, %s)", values)
                number = cursor.lastrowid
        except pymysql.IntegrityError:
            raise falcon.HTTPNotFound from None  # there is no such product
        response.status = falcon.HTTP_201
        response.media = _offer((number, product_id, None, price, items_in_stock, now, now))


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


def _product(row: Row) -> dict[str, Any]:
    number, name, description, registered_at, created_at, updated_at = row
    return {
        "id": number,
        "name": name,
        "description": description,
        "registration": "registered" if registered_at else "pending",
        "created_at": _time(created_at),
        "updated_at": _time(updated_at),
    }


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


def _now() -> datetime:
    return datetime.utcnow()  # noqa: DTZ003 - as the driver reads times


def _time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds") + "Z"


def make_app() -> Any:
    database = Database(os.environ["DATABASE_URL"])
    app = falcon.App()
    app.add_route("/api/v1/products", Products(database))
    app.add_route("/api/v1/products/{product_id:int}", Product(database))
    app.add_route("/api/v1/products/{product_id:int}/offers", Offers(database))
    app.add_route("/api/v1/products/{product_id:int}/offers/{offer_id:int}", Offer(database))
    return app
