"""A refresher that works on command and prints what each run cost: one process, as in production.

Each line on its standard input starts a run over everything that is due, and is answered by a line of JSON.
With --without-history it records nothing, which shows the cost of recording.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from productator.config import Settings
from productator.database.engine import make_engine
from productator.prices import recording
from productator.prices.recording import Observation
from productator.workers.stopping import StopFlag
from refresher.__main__ import make_worker
from refresher.metrics import Metrics


def main() -> None:
    if "--without-history" in sys.argv:
        recording.record = _record_nothing
    settings = Settings.load("config.cfg", os.environ)
    worker = make_worker(
        settings, sessionmaker(make_engine(settings.database_url)), Metrics(CollectorRegistry())
    )
    for _ in sys.stdin:
        refreshed = 0

        def count(more: int) -> None:
            nonlocal refreshed
            refreshed += more

        before, began = _processor_s(), time.monotonic()
        succeeded = worker.run_once(StopFlag(), on_progress=count).is_success
        cost = {
            "seconds": time.monotonic() - began,
            "processor_s": _processor_s() - before,
            "refreshed": refreshed,
            "succeeded": succeeded,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(cost), flush=True)
    worker.finish(grace_s=1)


def _record_nothing(session: Session, observations: Iterable[Observation]) -> None:
    """In the place of `recording.record`."""


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
