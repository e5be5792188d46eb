"""The environment of a benchmark: a MariaDB of its own, a fast upstream, products, a refresher to measure."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import click
import requests
from sqlalchemy import Engine, Table, delete, func, insert, select
from sqlalchemy.orm import sessionmaker

from lab import databases
from lab.processes.system import REPOSITORY
from productator.database import migrate
from productator.database.bulk import update_each
from productator.database.engine import make_engine
from productator.domain import utc_now
from productator.models import AlertRule, ChangedProduct, Product, Refresh
from refresher.leases import schedule

PERIOD = timedelta(seconds=30)
_ROWS_A_STATEMENT = 5_000
# As on a production server of this size: every commit reaches the disk, all data fit into memory.
_MARIADB_OPTIONS = ("--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size={memory}")


@dataclass(frozen=True)
class RefreshRun:
    """The cost of one run over all due products."""

    seconds: float
    processor_s: float
    refreshed: int
    succeeded: bool
    peak_mib: float


class MeasuredRefresher:
    """One refresher, in a process of its own, that starts a run on command."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self) -> RefreshRun:
        self.start()
        return self.result()

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> RefreshRun:
        """Waits for the end of the run that was started."""
        assert self._process.stdout is not None
        run = RefreshRun(**json.loads(self._process.stdout.readline()))
        assert run.succeeded, "not everything could be refreshed"
        return run


@dataclass(frozen=True)
class Laboratory:
    engine: Engine
    address: str
    server_pid: int | None
    upstream_pid: int

    @property
    def url(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url,
            "OFFERS_MS_ADDRESS": self.address,
            "PYTHONPATH": str(REPOSITORY),
            "LOG_FORMAT": "text",
        }

    def add_products(self, count: int) -> None:
        """Creates products that are due now, as an import does."""
        now = utc_now()
        with sessionmaker(self.engine).begin() as session:
            last = session.scalar(select(func.max(Product.id))) or 0
            for start in range(0, count, _ROWS_A_STATEMENT):
                ids = range(last + 1 + start, last + 1 + min(count, start + _ROWS_A_STATEMENT))
                session.execute(
                    insert(Product), [_product(each) | {"created_at": now, "updated_at": now} for each in ids]
                )
                session.execute(insert(Refresh), [{"product_id": each, "due_at": now} for each in ids])

    def set_rules(self, *, active: bool) -> None:
        """One alert rule for each product, or none; no notifier empties the outbox, so this does."""
        now = utc_now()
        rule = {
            "kind": "threshold",
            "price": 1,
            "cooldown_s": 0,
            "confirm_periods": 2,
            "rearm_percent": 2,
            "active": True,
            "counts_from": now,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        with sessionmaker(self.engine).begin() as session:
            session.execute(delete(AlertRule))
            session.execute(delete(ChangedProduct))
            product_ids = session.scalars(select(Product.id)).all() if active else []
            for start in range(0, len(product_ids), _ROWS_A_STATEMENT):
                some = product_ids[start : start + _ROWS_A_STATEMENT]
                session.execute(insert(AlertRule), [rule | {"product_id": each} for each in some])

    def make_due(self) -> None:
        """Makes all products due at slots spread over a period, as after a pause of two periods.

        After a pause of one, a product whose slot is now could get the due time that it already has.
        """
        now = utc_now()
        with self.engine.begin() as connection:
            rows = [
                (each, schedule.next_slot(each, now=now, period=PERIOD) - 2 * PERIOD)
                for each in connection.scalars(select(Refresh.product_id).order_by(Refresh.product_id))
            ]
            update_each(connection, cast("Table", Refresh.__table__), ("product_id", "due_at"), rows)

    def move_prices(self, percent: float) -> int:
        answer = requests.post(f"{self._control}/tick?percent={percent:g}", timeout=300)
        return int(answer.json()["moved"])

    def upstream_report(self) -> dict[str, Any]:
        report: dict[str, Any] = requests.get(f"{self._control}/report", timeout=60).json()
        return report

    @property
    def _control(self) -> str:
        return self.address.removesuffix("/api/v1") + "/control"

    @contextmanager
    def refresher(self, *arguments: str) -> Iterator[MeasuredRefresher]:
        command = [sys.executable, "-m", "lab.benchmarks.worker", *arguments]
        with subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        ) as process:
            yield MeasuredRefresher(process)


def _product(product_id: int) -> dict[str, Any]:
    text = {"name": f"Product {product_id}", "description": "About as much text as a product has. " * 5}
    return text | {"id": product_id, "remote_id": str(uuid4()), "version": 1}


@contextmanager
def laboratory(
    database_url: str | None, *, latency_s: float, offers: int = 10, memory: str = "1G"
) -> Iterator[Laboratory]:
    """`memory` is what a MariaDB of its own may fill with data."""
    with _database(database_url, memory) as (url, pid), _upstream(latency_s, offers) as upstream:
        engine = make_engine(url)
        migrate.migrate(engine)
        with sessionmaker(engine)() as session:
            if session.scalar(select(func.count()).select_from(Product)):
                raise click.ClickException("The database is not empty: a benchmark needs an empty one.")
        assert upstream.stdout is not None
        yield Laboratory(engine, upstream.stdout.readline().strip(), pid, upstream.pid)
        engine.dispose()


@contextmanager
def _database(given: str | None, memory: str) -> Iterator[tuple[str, int | None]]:
    """An empty database, and the process id of the server if it was started here."""
    if given is not None:
        yield given, None
        return
    with databases.mariadb_url(*(each.format(memory=memory) for each in _MARIADB_OPTIONS)) as server_url:
        server = databases.Server(server_url)
        try:
            yield server.new(), _pid_of_server(server_url)
        finally:
            server.drop_all()


def _pid_of_server(url: str) -> int | None:
    engine = make_engine(url)
    with engine.connect() as connection:
        path = connection.exec_driver_sql("SELECT @@pid_file").scalar()
    engine.dispose()
    try:
        return int(Path(str(path)).read_text())
    except OSError:
        return None


@contextmanager
def _upstream(latency_s: float, offers: int) -> Iterator[subprocess.Popen[str]]:
    options = ["--latency", str(latency_s), "--offers", str(offers)]
    command = [sys.executable, "-m", "lab.benchmarks.upstream", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            yield process
        finally:
            process.terminate()


def processor_s(pid: int | None) -> float:
    """Processor seconds that a process and its former children have used; 0 if it is not on this machine."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
