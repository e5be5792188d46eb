"""Statements that the driver runs itself, on every database."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from sqlalchemy import Engine, Table, bindparam, event, or_, select, update
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    OperationalError,
    PendingRollbackError,
)
from sqlalchemy.orm import sessionmaker

from productator.database.number_lists import in_list
from productator.database.prepared import Prepared, Written, insert_into
from productator.models import Product, Refresh

PRODUCTS, REFRESHES = cast("Table", Product.__table__), cast("Table", Refresh.__table__)
NOW = datetime(2026, 11, 28, 12, 30, 15, 123456, tzinfo=UTC)
INSERT = insert_into(
    PRODUCTS, "name", "description", "remote_id", "version", "created_at", "updated_at", "words"
)
VALUES = {"description": "100 % 'wool'", "version": 1, "created_at": NOW, "updated_at": NOW, "words": ""}


def new_product(name: str) -> dict[str, object]:
    return {**VALUES, "name": name, "remote_id": name}


def test_an_insert_tells_the_id_and_fills_other_columns_with_their_defaults(engine: Engine) -> None:
    with engine.begin() as connection:
        first, second = (INSERT.run(connection, new_product(name)).last_id for name in ("a", "b"))
        due_at = NOW.astimezone(timezone(timedelta(hours=5)))
        insert_into(REFRESHES, "product_id", "due_at").run(
            connection, {"product_id": second, "due_at": due_at}
        )

    assert second > first > 0
    with engine.connect() as connection:
        found = connection.execute(select(PRODUCTS).where(PRODUCTS.c.id == second)).mappings().one()
        refresh = connection.execute(select(REFRESHES)).mappings().one()
    assert {name: found[name] for name in VALUES} == VALUES
    assert found["registered_at"] is None
    assert (refresh["due_at"], refresh["pending"], refresh["failures"]) == (NOW, True, 0)


def test_an_update_tells_how_many_rows_it_met_even_if_they_stay_as_they_are(engine: Engine) -> None:
    unchanged = Prepared(update(PRODUCTS).where(PRODUCTS.c.name != bindparam("other")).values(version=1))
    with engine.begin() as connection:
        for name in ("a", "b", "c"):
            INSERT.run(connection, new_product(name))

        assert unchanged.run(connection, {"other": "a"}).rows == 2


def test_a_list_of_numbers_is_part_of_the_statement(engine: Engine) -> None:
    named = Prepared(
        select(PRODUCTS.c.name, PRODUCTS.c.created_at)
        .where(in_list(PRODUCTS.c.id, "ids"), PRODUCTS.c.version == bindparam("version"))
        .order_by(PRODUCTS.c.id)
    )
    with engine.begin() as connection:
        ids = [INSERT.run(connection, new_product(name)).last_id for name in ("a", "b", "c")]

        assert list(named.rows(connection, {"ids": ids[1:], "version": 1})) == [("b", NOW), ("c", NOW)]
        assert list(named.rows(connection, {"ids": iter(ids[:1]), "version": 1})) == [("a", NOW)]
        assert not named.rows(connection, {"ids": (), "version": 1})


def test_a_failure_is_that_of_any_other_statement_and_undoes_the_transaction(engine: Engine) -> None:
    sessions = sessionmaker(engine)

    def insert_twice() -> None:
        with sessions.begin() as session:
            for _ in range(2):
                INSERT.run(session.connection(), new_product("a"))

    with pytest.raises(IntegrityError):
        insert_twice()

    with sessions() as session:
        assert session.scalars(select(Product.name)).all() == []


def test_a_write_in_a_session_is_committed_with_it(engine: Engine) -> None:
    sessions = sessionmaker(engine)
    with sessions.begin() as session:
        written = INSERT.run(session.connection(), new_product("a"))

    with sessions() as session:
        assert written == Written(rows=1, last_id=session.scalars(select(Product.id)).one())


def test_a_write_without_a_transaction_begins_one(engine: Engine) -> None:
    with engine.connect() as connection:
        INSERT.run(connection, new_product("a"))
        connection.commit()
        INSERT.run(connection, new_product("b"))

    with engine.connect() as connection:
        assert connection.scalars(select(PRODUCTS.c.name)).all() == ["a"]


def test_a_write_after_the_end_of_a_transaction_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.rollback()

        with pytest.raises(InvalidRequestError):
            INSERT.run(connection, new_product("a"))


def test_a_list_of_numbers_may_stand_in_several_places_of_a_write(engine: Engine) -> None:
    is_named = in_list(PRODUCTS.c.id, "ids")
    raise_all = Prepared(update(PRODUCTS).where(or_(is_named, ~is_named)).values(version=2))
    with engine.begin() as connection:
        ids = [INSERT.run(connection, new_product(name)).last_id for name in ("a", "b", "c")]

        assert raise_all.run(connection, {"ids": ids[:2]}).rows == 3


def test_a_value_that_is_missing_is_an_error(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(KeyError, match="remote_id"):
        INSERT.run(connection, {**VALUES, "name": "a"})


def test_listeners_hear_of_writes_and_of_failures(engine: Engine) -> None:
    heard: list[str] = []
    listeners = {
        "before_cursor_execute": lambda *_: heard.append("before"),
        "after_cursor_execute": lambda *_: heard.append("after"),
        "handle_error": lambda *_: heard.append("error"),
    }
    with engine.begin() as connection:
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
        try:
            INSERT.run(connection, new_product("a"))
            with pytest.raises(IntegrityError):
                INSERT.run(connection, new_product("a"))
        finally:
            for name, listener in listeners.items():
                event.remove(engine, name, listener)

    assert heard == ["before", "after", "before", "error"]


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_a_lost_connection_is_noticed_within_a_transaction(engine: Engine) -> None:
    with engine.connect() as connection, engine.connect() as other:
        INSERT.run(connection, new_product("a"))
        own_id = connection.connection.thread_id()
        other.exec_driver_sql(f"KILL {own_id}")

        with pytest.raises(DBAPIError) as lost:
            INSERT.run(connection, new_product("b"))
        assert lost.value.connection_invalidated
        with pytest.raises(PendingRollbackError):
            INSERT.run(connection, new_product("c"))
        connection.rollback()
        INSERT.run(connection, new_product("d"))
        connection.commit()

    with engine.connect() as connection:
        assert connection.scalars(select(PRODUCTS.c.name)).all() == ["d"]


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_row_that_cannot_be_read_is_an_error_of_the_database(engine: Engine) -> None:
    names = Prepared(select(PRODUCTS.c.name).order_by(PRODUCTS.c.id))
    with engine.begin() as connection:
        for name in ("a", "b"):
            INSERT.run(connection, new_product(name))
        connection.exec_driver_sql("UPDATE products SET name = CAST(x'ff' AS TEXT) WHERE name = 'b'")

        with pytest.raises(OperationalError, match="UTF-8"):
            names.rows(connection, {})


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (select(PRODUCTS.c.id).where(PRODUCTS.c.name.in_(["a", "b"])), "in_list"),
        (update(REFRESHES).values(failures=0).returning(REFRESHES.c.product_id), "return"),
    ],
)
def test_what_only_sqlalchemy_can_run_is_refused(engine: Engine, statement: Any, message: str) -> None:
    with engine.begin() as connection, pytest.raises(ValueError, match=message):
        Prepared(statement).run(connection, {})


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_column_whose_default_is_computed_has_to_be_named(engine: Engine) -> None:
    without_words = insert_into(
        PRODUCTS, "name", "description", "remote_id", "version", "created_at", "updated_at"
    )
    with engine.begin() as connection, pytest.raises(ValueError, match=r"name products\.words"):
        without_words.run(connection, new_product("a"))
