"""The settings of the `productator` command."""

import os

from sqlalchemy.orm import Session, sessionmaker

from productator.config import Settings
from productator.database.engine import make_engine


def load_settings() -> Settings:
    return Settings.load(os.environ.get("PRODUCTATOR_CONFIG"), os.environ)


def make_sessions() -> sessionmaker[Session]:
    """Sessions of the database of the settings, each call with an engine of its own."""
    return sessionmaker(make_engine(load_settings().database_url))
