"""The refresher as in production, observed for minutes: how old offers get, and how even its rhythm is."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.benchmarks.laboratory import Laboratory, processor_s
from lab.processes.system import REPOSITORY

_LOOK_EVERY_S = 2.0
_SETTLE_PERIODS = 2
# The ages of all products' offers, in tenths of a second.
_AGES = """
    SELECT FLOOR(TIMESTAMPDIFF(MICROSECOND, refreshed_at, UTC_TIMESTAMP(6)) / 100000) AS age, COUNT(*)
    FROM refreshes WHERE product_id <= {last} AND refreshed_at IS NOT NULL GROUP BY age
"""


def observe(
    lab: Laboratory, *, period_s: float, periods: int, percent: float, burst: int
) -> Iterator[dict[str, Any]]:
    began = time.monotonic()
    with running(lab, period_s) as pid:
        products = until_all_are_fresh(lab)
        yield {"what": "all are fresh for the first time", "after_s": time.monotonic() - began}
        _let_time_pass(lab, period_s, percent, _SETTLE_PERIODS, products)
        lab.upstream_report()
        used = {name: processor_s(each) for name, each in _processes(lab, pid).items()}
        if burst:
            lab.add_products(burst)
        began = time.monotonic()
        ages = _let_time_pass(lab, period_s, percent, periods, products)
        took_s = time.monotonic() - began
        gaps = Counter({float(gap): count for gap, count in lab.upstream_report()["gaps_s"].items()})
        yield {"what": "age of offers, s", "products": products, "imported_meanwhile": burst, **_spread(ages)}
        yield {"what": "between two reads of a product, s", **_spread(gaps)}
        for name, each in _processes(lab, pid).items():
            yield {"what": f"cores busy: {name}", "cores": (processor_s(each) - used[name]) / took_s}


@contextmanager
def running(lab: Laboratory, period_s: float) -> Iterator[int]:
    """A refresher as in production; yields its process id."""
    environment = lab.environment | {"REFRESHER_PERIOD": f"{period_s:g}", "REFRESHER_METRICS_PORT": "0"}
    command = [sys.executable, "-m", "refresher"]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _processes(lab: Laboratory, pid: int) -> dict[str, int | None]:
    return {"refresher": pid, "database": lab.server_pid, "upstream": lab.upstream_pid}


def until_all_are_fresh(lab: Laboratory) -> int:
    """Waits until each product has been refreshed; returns their number."""
    while True:
        with lab.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT COUNT(*), COUNT(refreshed_at) FROM refreshes").one()
        if found[0] == found[1]:
            return int(found[0])
        time.sleep(_LOOK_EVERY_S / 4)


def _let_time_pass(
    lab: Laboratory, period_s: float, percent: float, periods: int, last: int
) -> Counter[float]:
    """Moves prices once a period; returns the ages of offers seen meanwhile."""
    ages: Counter[float] = Counter()
    for _ in range(periods):
        lab.move_prices(percent)
        ends = time.monotonic() + period_s
        while time.monotonic() < ends:
            time.sleep(_LOOK_EVERY_S)
            with lab.engine.connect() as connection:
                for age, count in connection.exec_driver_sql(_AGES.format(last=last)):
                    ages[int(age) / 10] += int(count)
    return ages


def _spread(counts: Counter[float]) -> dict[str, float]:
    total, so_far = counts.total(), 0
    found: dict[str, float] = {}
    for value, count in sorted(counts.items()):
        so_far += count
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("most", 1.0)):
            if so_far >= share * total:
                found.setdefault(name, value)
    return found
