"""Calls of the API by several clients, and what they saw: statuses, times, outages."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import requests

from lab.processes.api import Api

_READ = "GET"


@dataclass(frozen=True)
class Call:
    method: str
    began: float
    ended: float
    # The status, or the error that a client without an answer saw.
    outcome: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def is_read(self) -> bool:
        return self.method == _READ

    @property
    def is_success(self) -> bool:
        return self.outcome.startswith("2")


@dataclass
class MeasuredApi:
    """An API whose calls are noted."""

    api: Api
    calls: list[Call] = field(default_factory=list)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        began = time.monotonic()
        try:
            answer = self.api.request(method, path, **options)
        except requests.RequestException as error:
            self.calls.append(Call(method, began, time.monotonic(), type(error).__name__))
            raise
        self.calls.append(Call(method, began, time.monotonic(), str(answer.status_code)))
        return answer


class OfferReader:
    """One caller in a thread that reads the offers of products."""

    def __init__(self, api: MeasuredApi, products: Sequence[int], *, pause_s: float) -> None:
        self._api = api
        self._products = products
        self._pause_s = pause_s
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random(1)
        while not self._is_stopping:
            # Without an answer it is noted, too.
            with suppress(requests.RequestException):
                self._api.request(_READ, f"/products/{chance.choice(self._products)}/offers")
            time.sleep(chance.uniform(0, self._pause_s))


def summary(calls: Sequence[Call]) -> str:
    if not calls:
        return "none"
    seconds = sorted(call.seconds for call in calls)
    p50, p99 = (1000 * seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
    outcomes = dict(Counter(call.outcome for call in calls).most_common())
    return f"{len(calls)}, p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {seconds[-1]:.1f} s: {outcomes}"


def longest_outage_s(calls: Iterable[Call], since: float, until: float) -> float:
    """The longest time between these moments in which none of the calls succeeded."""
    ends = sorted(call.ended for call in calls if call.is_success and since < call.ended < until)
    moments = [since, *ends, until]
    return max(after - before for before, after in pairwise(moments))
