"""The settings of the `productator` command."""

import os

from productator.config import Settings


def load_settings() -> Settings:
    return Settings.load(os.environ.get("PRODUCTATOR_CONFIG"), os.environ)
