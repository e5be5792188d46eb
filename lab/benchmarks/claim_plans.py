"""How the database finds due products, and what that costs."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from productator.domain import utc_now
from refresher.leases.claims import ClaimRequest, ClaimTransaction

_A_TIME = 500
_TIMES = 20


def claim_cost_us(engine: Engine) -> float:
    """Microseconds a product; each claim is rolled back."""
    took_s, claimed = 0.0, 0
    with Session(engine) as session:
        for _ in range(_TIMES):
            began = time.monotonic()
            claimed += _claim(session)
            took_s += time.monotonic() - began
            session.rollback()
    return took_s / claimed * 1e6


def claim_plans(engine: Engine) -> Iterator[dict[str, Any]]:
    """The plan of each statement of a claim."""
    statements: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        statements.append((call[2], call[3]))

    event.listen(engine, "before_cursor_execute", note)
    with Session(engine) as session:
        _claim(session)
        session.rollback()
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        for statement, parameters in statements:
            for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings():
                found = {key: row.get(key) for key in ("table", "type", "key", "rows", "Extra")}
                yield {"statement": " ".join(statement.split())[:60], **found}


def _claim(session: Session) -> int:
    now = utc_now()
    return len(
        ClaimTransaction(ClaimRequest(_A_TIME, due_by=now), now=now, lease=timedelta(minutes=1))(session)
    )
