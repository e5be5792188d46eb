"""Products sorted by name and by their times."""

from alembic import op

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_products_name", "products", ["name"])
    op.create_index("ix_products_created_at", "products", ["created_at"])
    op.create_index("ix_products_updated_at", "products", ["updated_at"])
