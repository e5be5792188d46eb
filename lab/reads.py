"""How often and how evenly the Offers service was asked for each product."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any


def reads_by_product(log: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """When each product's offers were requested."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in log:
        if entry["call"] == "offers":
            times[entry["product"]].append(entry["time"])
    return times


def periods_between_reads(times: Mapping[str, list[float]], period_s: float) -> Counter[int]:
    """In whole periods: 0 when a product was read twice in half a period, 2 when a period was left out."""
    gaps = (later - earlier for each in times.values() for earlier, later in pairwise(each))
    return Counter(round(gap / period_s) for gap in gaps)
