"""Search on a database that has no full-text index, as TiDB and Vitess."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from productator.app import create_app
from productator.database import migrate
from productator.database.engine import make_engine
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of


@pytest.fixture
def without_full_text(empty_database_url: str) -> Iterator[FlaskClient]:
    """A client of an application whose database has no full-text index, as TiDB."""
    engine = make_engine(empty_database_url)
    migrate.migrate(engine)
    with engine.begin() as connection:
        on_table = "" if engine.dialect.name == "sqlite" else " ON products"
        connection.execute(text(f"DROP INDEX ix_products_words{on_table}"))
    engine.dispose()
    app = create_app(factories.settings(database_url=empty_database_url))
    yield app.test_client()
    dispose_of(app)


@pytest.mark.parametrize("query", ["coffee", "COFFEE gr", " Coffee grinder "])
def test_without_a_full_text_index_names_are_found_by_their_beginning(
    without_full_text: FlaskClient, query: str
) -> None:
    for name in ("Coffee grinder", "Tea pot", "100% coffee"):
        factories.posted_product(without_full_text, name=name)

    found = without_full_text.get(PRODUCTS, query_string={"q": query})

    assert "Coffee grinder" in [each["name"] for each in found.get_json()["items"]]


@pytest.mark.parametrize("query", ["%", "_", "T_a pot"])
def test_without_a_full_text_index_signs_of_patterns_are_no_patterns(
    without_full_text: FlaskClient, query: str
) -> None:
    factories.posted_product(without_full_text, name="Tea pot 100")

    assert without_full_text.get(PRODUCTS, query_string={"q": query}).get_json()["items"] == []
