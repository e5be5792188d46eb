"""Unit tests need nothing running, and cannot reach it."""

import pytest


@pytest.fixture(autouse=True)
def _closed_sockets(socket_disabled: None) -> None:
    """An attempt to connect anywhere fails the test."""
