"""A flag that says whether the lowest price of a rolled-up time held without a break."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_PRODUCTS = sa.table("products", sa.column("id", sa.BigInteger))
_POINTS = sa.table(
    "price_points",
    sa.column("product_id", sa.BigInteger),
    sa.column("resolution_s", sa.Integer),
    sa.column("lowest_price", sa.BigInteger),
    sa.column("mean_lowest_price", sa.BigInteger),
    sa.column("is_unbroken", sa.Boolean),
)
# A product that changes every minute has some 17,000 rolled-up points, and a statement may take 20 seconds.
_PRODUCTS_A_STATEMENT = 10


def upgrade() -> None:
    # Null where an older version rolls up: it says the same by the mean, as here.
    op.add_column("price_points", sa.Column("is_unbroken", sa.Boolean, nullable=True))
    _set_flags(op.get_bind())


def _set_flags(connection: sa.Connection) -> None:
    """Older versions stored a mean of more than the lowest price where that price did not hold throughout."""
    points = _POINTS.c
    some = sa.select(_PRODUCTS.c.id).order_by(_PRODUCTS.c.id).limit(_PRODUCTS_A_STATEMENT)
    last = 0
    while product_ids := connection.scalars(some.where(_PRODUCTS.c.id > last)).all():
        connection.execute(
            sa.update(_POINTS)
            .where(points.product_id > last, points.product_id <= product_ids[-1])
            .where(points.resolution_s > 0, points.is_unbroken.is_(None))
            .values(is_unbroken=points.mean_lowest_price == points.lowest_price * 1_000)
        )
        # Row by row is done for good: a migration that is killed goes on where it was, and locks are short.
        # SQLite has one writer anyway, and migrates in one transaction.
        if connection.dialect.name != "sqlite":
            connection.commit()
        last = product_ids[-1]
