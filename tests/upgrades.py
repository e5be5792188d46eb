"""Upgrades of the schema that are killed on their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

from productator.database import migrate as schema

_STEPS = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


class Killed(Exception):
    pass


@contextmanager
def killed_after_each_step(engine: Engine) -> Iterator[Callable[[], bool]]:
    """A migration that is killed after the first step that none before it has done.

    Called again and again it comes one step further each time; True: it was not killed.
    """
    done: set[str] = set()

    def kill(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(_STEPS) and statement not in done:
            done.add(statement)
            raise Killed

    def migrate() -> bool:
        try:
            schema.migrate(engine)
        except Killed:
            return False
        return True

    event.listen(engine, "after_cursor_execute", kill)
    yield migrate
    event.remove(engine, "after_cursor_execute", kill)
