"""Products with very many offers: how large the refresher grows, and how long writes to the API wait."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select

from lab.catalogue import Catalogue
from lab.processes.program import Program
from lab.processes.system import System
from lab.waiting import eventually
from productator.models import Offer, Refresh

_MOST_MB = 200
_LONGEST_WRITE_S = 2.0
_EVERY_S = 0.2
# The simulator computes and sends lists of megabytes for minutes.
_TIMEOUT_S = 60
_PATIENCE_S = 600


@dataclass(frozen=True)
class ListResult:
    memory_mb: float
    writes: int
    longest_write_s: float
    statuses: Counter[int]
    offers_stored: int
    errors: Counter[str]

    @property
    def is_as_promised(self) -> bool:
        return (
            self.memory_mb < _MOST_MB
            and self.longest_write_s < _LONGEST_WRITE_S
            and self.statuses.keys() == {201}
        )

    def __str__(self) -> str:
        return (
            f"refresher: {self.memory_mb:.0f} MB at most; {self.writes} writes: {dict(self.statuses)},"
            f" the longest {self.longest_write_s:.2f} s; {self.offers_stored} offers stored;"
            f" errors: {dict(self.errors)}"
        )


def write_during_long_lists(
    system: System, engine: Engine, *, offers: int, products: int, for_s: float
) -> ListResult:
    """Clients create products while the refresher reads products with so many offers, at least once each."""
    system.variables |= {"OFFERS_MS_TIMEOUT": str(_TIMEOUT_S)}
    simulator = system.simulator("--offers-exactly", str(offers))
    api, catalogue = system.api(), Catalogue(engine)
    catalogue.add_products(products)
    for remote_id in catalogue.remote_ids().values():
        # Computing a list takes the simulator long; it keeps it then.
        simulator.truth(remote_id)
    refresher = system.refresher()
    took: list[float] = []
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    # What the clients create would have as many offers, so it is deleted at once.
    while time.monotonic() < began + for_s:
        sent = time.monotonic()
        created = api.request("POST", "/products", json={"name": "Kettle"})
        took.append(time.monotonic() - sent)
        statuses[created.status_code] += 1
        if created.ok:
            api.request("DELETE", f"/products/{created.json()['id']}")
        time.sleep(_EVERY_S)
    eventually(lambda: not _untried(engine), within_s=_PATIENCE_S)
    return ListResult(
        _most_memory_mb(refresher), len(took), max(took), statuses, _count_offers(engine), _errors(engine)
    )


def _most_memory_mb(program: Program) -> float:
    status = Path(f"/proc/{program.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1_000


def _untried(engine: Engine) -> int:
    query = select(func.count()).where(Refresh.refreshed_at.is_(None), Refresh.last_error.is_(None))
    with engine.connect() as connection:
        return connection.scalar(query) or 0


def _count_offers(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Offer)) or 0


def _errors(engine: Engine) -> Counter[str]:
    with engine.connect() as connection:
        return Counter(connection.scalars(select(Refresh.last_error).where(Refresh.last_error.is_not(None))))
