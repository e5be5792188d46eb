"""Backups as docs/operations.md describes them: made while programs write, and restored elsewhere."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

# Debian's name for MySQL's client programs, and MariaDB's.
_DUMP = ("mariadb-dump", "mysqldump")
_CLIENT = ("mariadb", "mysql")
_OPTIONS = ["--single-transaction", "--quick", "--hex-blob", "--default-character-set=utf8mb4"]


def back_up(url: str, file: Path) -> None:
    """Writes one consistent state of the database to the file, and blocks no writer meanwhile."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", [str(file)])
        return
    with file.open("wb") as output:
        _run(_DUMP, url, [*_OPTIONS, _name(url)], stdout=output)


def restore(file: Path, url: str) -> None:
    """Fills an empty database."""
    if url.startswith("sqlite"):
        shutil.copyfile(file, make_url(url).database or "")
        return
    with file.open("rb") as source:
        _run(_CLIENT, url, ["--default-character-set=utf8mb4", _name(url)], stdin=source)


def _name(url: str) -> str:
    return make_url(url).database or ""


def _run(programs: tuple[str, ...], url: str, arguments: list[str], **files: object) -> None:
    parsed = make_url(url)
    program = next(filter(None, map(shutil.which, programs)))
    server = [f"--host={parsed.host}", f"--port={parsed.port or 3306}", f"--user={parsed.username}"]
    # On the command line everybody could read it.
    environment = os.environ | {"MYSQL_PWD": parsed.password or ""}
    done = subprocess.run(  # type: ignore[call-overload]
        [program, *server, *arguments], env=environment, stderr=subprocess.PIPE, check=False, **files
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr.decode()}")
