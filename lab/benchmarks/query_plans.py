"""The database's plans for the statements that an engine sends."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event


class QueryPlans:
    """Explains every query of a call; `complaints` are the steps that read too much."""

    def __init__(self, engine: Engine) -> None:
        self.complaints: list[str] = []
        self._engine = engine
        self._statements: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self._statements.append((statement, parameters))

    def of(self, label: str, ask: Callable[[Connection], object]) -> str:
        with self._engine.connect() as connection:
            self._statements.clear()
            ask(connection)
            plans = [self._explain(connection, *each) for each in list(self._statements)]
        wrong = [step for plan in plans for step in plan if self._is_wrong(step, label)]
        self.complaints += [f"{label}: {step}" for step in wrong]
        return "; then ".join(" + ".join(plan) for plan in plans)

    def _explain(self, connection: Connection, statement: str, parameters: Any) -> list[str]:
        if self._engine.name == "sqlite":
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row.detail for row in found]
        form = "" if getattr(connection.dialect, "is_mariadb", False) else "FORMAT=TRADITIONAL"
        found = connection.exec_driver_sql(f"EXPLAIN {form} {statement}", parameters)
        return [f"{row.table}: {row.type} {row.key or ''} {row.Extra or ''}".strip() for row in found]

    def _is_wrong(self, step: str, label: str) -> bool:
        if step.startswith("<derived") or self._engine.name == "sqlite":
            return False  # the few rows of a subquery; or a database without a full-text index
        scans = ": ALL" in step or (": index" in step and "deep" in label)
        return scans or ("filesort" in step and ": fulltext" not in step)
