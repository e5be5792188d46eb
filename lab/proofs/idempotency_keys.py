"""Idempotency keys, each sent by many clients at once, while workers are killed with -9."""

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from lab.processes.api import Api
from lab.proofs.wire import AnswerLost, HttpAnswer, exchange
from lab.waiting import PATIENCE_S

# So many keys are in flight at a time.
_KEYS_AT_ONCE = 4
# So many answers come between two kills: else workers on a slow machine die before they answer anything.
_ANSWERS_A_KILL = 50


@dataclass(frozen=True)
class KeysResult:
    keys: int
    kills: int
    # Why requests were sent again: no answer, or a status that asks for it.
    repeated: Counter[str]
    # Keys whose answers, replays included, were not all the same 201.
    unlike: list[str]
    # Products in the end; one for each key is right.
    effects: int
    # Keys without an answer in the end, or whose last answer was no replay.
    stuck: list[str]
    seconds: float

    @property
    def is_as_promised(self) -> bool:
        return self.effects == self.keys and not self.unlike and not self.stuck


@dataclass
class _WorkerKiller:
    """Kills a worker now and then; uWSGI replaces it."""

    api: Api
    seed: int
    answers: int = 0
    kills: int = 0
    _ended: Event = field(default_factory=Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _run(self) -> None:
        chance = random.Random(self.seed)
        while not self._ended.wait(chance.uniform(0.05, 0.5)):
            if self.answers < self.kills * _ANSWERS_A_KILL:
                continue
            with suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(sorted(self.api.children)), signal.SIGKILL)
                self.kills += 1


def send_keys(api: Api, *, keys: int, duplicates: int, seed: int = 1) -> KeysResult:
    began = time.monotonic()
    names = [f"key-{number}" for number in range(keys)]
    repeated: Counter[str] = Counter()
    killer = _WorkerKiller(api, seed)
    with killer.at_work(), ThreadPoolExecutor(_KEYS_AT_ONCE * duplicates) as threads:
        sent = [name for name in names for _ in range(duplicates)]
        outcomes = threads.map(lambda name: _send_until_answered(killer, name, repeated), sent)
        answers = list(zip(sent, outcomes, strict=True))
    # No worker is killed any more: a key that is still locked now stays locked.
    last = {name: exchange(api, "POST", "/products", {"name": name}, Idempotency_Key=name) for name in names}
    by_key: dict[str, set[object]] = defaultdict(set)
    for name, answer in [*answers, *last.items()]:
        by_key[name].add(_essence(answer))
    return KeysResult(
        keys=keys,
        kills=killer.kills,
        repeated=repeated,
        unlike=[name for name in names if not _is_one_creation(by_key[name])],
        effects=_count_products(api),
        stuck=[name for name in names if last[name].headers.get("Idempotency-Replayed") != "true"],
        seconds=time.monotonic() - began,
    )


def _send_until_answered(killer: _WorkerKiller, key: str, repeated: Counter[str]) -> HttpAnswer | None:
    """Sends again after a lost answer or one that asks for it; None: time is up."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            answer = exchange(killer.api, "POST", "/products", {"name": key}, Idempotency_Key=key)
        except AnswerLost as lost:
            repeated[str(lost)] += 1
            continue
        if answer.status not in {409, 503}:
            killer.answers += 1
            return answer
        repeated[str(answer.status)] += 1
        time.sleep(int(answer.headers["Retry-After"]))
    return None


def _essence(answer: HttpAnswer | None) -> object:
    """The part that all answers to a key have in common."""
    return answer and (answer.status, answer.body, answer.headers.get("ETag"), answer.headers.get("Location"))


def _is_one_creation(essences: set[object]) -> bool:
    return len(essences) == 1 and all(isinstance(each, tuple) and each[0] == 201 for each in essences)


def _count_products(api: Api) -> int:
    count = 0
    path = "/products?limit=200"
    while path:
        page = exchange(api, "GET", path).json
        count += len(page["items"])
        path = (page["next"] or "").partition("/api/v1")[2]
    return count
