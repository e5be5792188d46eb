"""Runs of the refresher and what they cost: each a line of JSON, and all of them in a table."""

import json
import time
from collections.abc import Iterable
from statistics import median
from typing import Any

from lab.benchmarks import report
from lab.benchmarks.history import cost_of_recording
from lab.benchmarks.laboratory import Laboratory, MeasuredRefresher, laboratory, processor_s

CHANGED_PERCENT = 10


def say(what: str, **figures: Any) -> dict[str, Any]:
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}
    said = {"what": what, **rounded}
    print(json.dumps(said), flush=True)
    return said


def measure_again(lab: Laboratory, refresher: MeasuredRefresher, percent: float) -> dict[str, Any]:
    moved = lab.move_prices(percent)
    lab.make_due()
    return measure(lab, refresher, f"{percent:g} % of the offers changed", offers_changed=moved)


def measure(lab: Laboratory, refresher: MeasuredRefresher, what: str, **figures: Any) -> dict[str, Any]:
    """One run over everything that is due."""
    others = {"database": lab.server_pid, "upstream": lab.upstream_pid}
    before = {name: processor_s(pid) for name, pid in others.items()}
    run = refresher.run()
    per_10_000 = 10_000 / run.refreshed
    used = {
        f"{name}_processor_s_per_10_000": (processor_s(pid) - before[name]) * per_10_000
        for name, pid in others.items()
    }
    return say(
        what,
        products=run.refreshed,
        products_per_s=run.refreshed / run.seconds,
        processor_s_per_10_000=run.processor_s * per_10_000,
        peak_mib=run.peak_mib,
        **used,
        **figures,
    )


def beside_two(lab: Laboratory, products: int, *, rounds: int) -> list[dict[str, Any]]:
    found = []
    with lab.refresher() as one, lab.refresher() as other:
        for refreshers in ([one, other], *(([one], [one, other]) * rounds)):
            lab.move_prices(CHANGED_PERCENT)
            lab.make_due()
            began = time.monotonic()
            for each in refreshers:
                each.start()
            runs = [each.result() for each in refreshers]
            speed = products / (time.monotonic() - began)
            cost = sum(run.processor_s for run in runs) / products * 10_000
            what = f"{len(refreshers)} of them, {CHANGED_PERCENT} % of the offers changed"
            found.append(say(what, products_per_s=speed, processor_s_per_10_000=cost))
    # Both are warm only after the first run.
    return found[1:]


def without_history(products: int, *, rounds: int) -> list[dict[str, Any]]:
    with laboratory(None, latency_s=0) as lab:
        runs = cost_of_recording(lab, products, rounds, CHANGED_PERCENT)
    return [
        say(
            f"{label} recording, without latency, {CHANGED_PERCENT} % of the offers changed",
            products_per_s=run.refreshed / run.seconds,
            processor_s_per_10_000=run.processor_s / run.refreshed * 10_000,
        )
        for label in runs
        for run in runs[label]
    ]


def table(found: Iterable[dict[str, Any]]) -> str:
    """Of several runs of one kind: the slowest, the median and the fastest."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        kinds.setdefault(each["what"], []).append(each)
    rows = []
    for what, runs in kinds.items():
        speeds = sorted(run["products_per_s"] for run in runs)
        costs = [
            f"{median(run[name] for run in runs) * 100:,.0f} µs" if name in runs[0] else ""
            for name in ("processor_s_per_10_000", "database_processor_s_per_10_000")
        ]
        spread = [f"{each:,.0f}" for each in (speeds[0], median(speeds), speeds[-1])]
        rows.append([what, str(len(runs)), *spread, *costs])
    head = ("", "runs", "products/s, slowest", "median", "fastest", "processor a product", "database")
    return report.table(head, rows)
