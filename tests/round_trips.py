"""Counts what programs send to MySQL and MariaDB."""

from typing import Any

import pytest
from pymysql.connections import Connection


def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of all connections from now on, each a round trip; COMMIT and ROLLBACK included."""
    sent: list[str] = []
    execute = Connection._execute_command  # noqa: SLF001 - every command passes here

    def note(self: Any, command: int, sql: Any) -> None:
        sent.append(sql.decode() if isinstance(sql, bytes | bytearray) else sql)
        execute(self, command, sql)

    monkeypatch.setattr(Connection, "_execute_command", note)
    return sent
