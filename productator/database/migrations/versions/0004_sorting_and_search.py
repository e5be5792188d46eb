"""Products sorted by name and by their times, and searched by the words of their names."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from productator.models import search_terms

revision = "0004"
down_revision = "0002"

_PRODUCTS = sa.table("products", sa.column("id"), sa.column("name"), sa.column("words"))
_ROWS_A_TIME = 1_000


def upgrade() -> None:
    op.create_index("ix_products_name", "products", ["name"])
    op.create_index("ix_products_created_at", "products", ["created_at"])
    op.create_index("ix_products_updated_at", "products", ["updated_at"])
    exact = mysql.VARCHAR(4096, charset="ascii", collation="ascii_bin")
    kind = sa.String(4096).with_variant(exact, "mysql", "mariadb")
    op.add_column("products", sa.Column("words", kind, nullable=False, server_default=""))
    _spell()
    op.create_index(
        "ix_products_words", "products", ["words"], mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT"
    )


def _spell() -> None:
    """The words of all names there are."""
    rows = _PRODUCTS.c
    last = 0
    while found := _read_behind(last):
        last = found[-1].id
        terms = {row.id: search_terms.index_terms(row.name) for row in found}
        op.get_bind().execute(
            sa.update(_PRODUCTS).where(rows.id.in_(terms)).values(words=sa.case(terms, value=rows.id))
        )


def _read_behind(product_id: int) -> Sequence[sa.Row[int, str]]:
    rows = _PRODUCTS.c
    query = sa.select(rows.id, rows.name).where(rows.id > product_id).order_by(rows.id).limit(_ROWS_A_TIME)
    return op.get_bind().execute(query).all()
