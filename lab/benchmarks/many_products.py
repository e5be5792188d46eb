"""Fills a database with products whose names have words as rare as in natural languages."""

import random
import time
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, func, insert, select, text

from productator.domain import utc_now
from productator.models import Product

_ROWS_A_STATEMENT = 2_000
_SYLLABLES = [first + second for first in "bcdfghjklmnprstvz" for second in "aeiou"]
_WORDS = 4_000


class RandomNames:
    """Names from a few thousand words, the n-th about n times as rare as the first."""

    def __init__(self) -> None:
        found: dict[str, None] = {}
        while len(found) < _WORDS:
            found["".join(random.choices(_SYLLABLES, k=random.randint(2, 4)))] = None
        self.words = list(found)
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(_WORDS)))

    def name(self) -> str:
        words = random.choices(self.words, cum_weights=self._weights, k=random.randint(2, 5))
        short = random.choices(["", " TV", " 4K", " XL"], [94, 2, 2, 2])[0]
        return f"{' '.join(word.capitalize() for word in words)}{short} {random.randint(1, 3000)}"


def fill(engine: Engine, names: RandomNames, count: int) -> None:
    """Creates products until there are `count`."""
    with engine.connect() as connection:
        there = connection.scalar(select(func.count()).select_from(Product)) or 0
    begin, started = utc_now() - timedelta(seconds=count), time.monotonic()
    for done in range(there, count, _ROWS_A_STATEMENT):
        rows = [_row(names, begin + timedelta(seconds=done + n)) for n in range(_ROWS_A_STATEMENT)]
        with engine.begin() as connection:
            connection.execute(insert(Product), rows)
    if there < count:
        print(f"{count - there} products created in {time.monotonic() - started:.0f} s")
        with engine.begin() as connection:
            connection.execute(text("ANALYZE TABLE products" if engine.name != "sqlite" else "ANALYZE"))


def _row(names: RandomNames, created_at: datetime) -> dict[str, Any]:
    return {
        "name": names.name(),
        "description": "About as much text as a product commonly has. " * 4,
        "remote_id": str(uuid4()),
        "version": 1,
        "created_at": created_at,
        "updated_at": created_at + timedelta(seconds=random.randint(0, 10_000_000)),
    }
