"""Tests in several processes (`pytest -n auto`): which process runs what, and the MariaDB that all share.

Each process has databases of its own. Without `-n`, nothing here takes part.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from lab.databases import NAMES, Missing, PrivateMariadb

_DATABASE = re.compile(rf"\[.*\b({'|'.join(NAMES)})\b")
_MARIADB_URL = "mariadb_url"


def given_mariadb_url(config: pytest.Config) -> str | None:
    """The address of the server that the controlling process runs for all; None without `-n`."""
    found: str | None = getattr(config, "workerinput", {}).get(_MARIADB_URL)
    return found


class Controller:
    """What the controlling process adds to pytest-xdist; no other process calls these hooks."""

    def __init__(self, config: pytest.Config) -> None:
        self._stack = ExitStack()
        config.add_cleanup(self._stack.close)
        self._mariadb: PrivateMariadb | None = None
        self._is_running = False

    def pytest_configure_node(self, node: WorkerController) -> None:
        if self._mariadb is None and not os.environ.get("TEST_MARIADB_URL"):
            # Who needs it says what is missing.
            with suppress(Missing):
                folder = tempfile.TemporaryDirectory(prefix="productator-mariadb-")
                self._mariadb = PrivateMariadb(Path(self._stack.enter_context(folder)))
        if self._mariadb is not None:
            node.workerinput[_MARIADB_URL] = self._mariadb.url

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Starts the server before the first test runs, unless none of them needs it."""
        if self._mariadb and not self._is_running and any("mariadb" in each for each in ids):
            self._is_running = True
            self._stack.callback(self._mariadb.stop)
            self._mariadb.start()
            self._mariadb.wait_until_it_answers()

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> LoadScopeScheduling:
        return _ByFileAndDatabase(config, log)


class _ByFileAndDatabase(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """A process takes the tests of one file on one database at a time, in the order of the collection.

    Thus what a file's tests share is made once. The system's tests stay together: two of them at a time
    would disturb each other's timing.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/system/"):
            return "system"
        database = _DATABASE.search(nodeid)
        return f"{nodeid.partition('::')[0]} {database and database[1]}"
