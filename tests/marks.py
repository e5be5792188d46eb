"""Marks that several files share."""

import pytest

ANY = "any"
# The test sends no SQL once its fixtures are made: it runs once, not on each database. If it does send any,
# it fails.
SENDS_NO_SQL = pytest.mark.parametrize("server", [ANY], indirect=True)
