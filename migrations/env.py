"""Runs the migrations on the connection that `productator.schema.migrate` holds its lock on."""

from alembic import context

from productator.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
