"""How many rows have been written since a moment, and which ids were used up."""

from sqlalchemy import Engine

# MySQL counts InnoDB's rows. MariaDB no longer does, and its handlers count no temporary tables.
_MYSQL = {
    "Innodb_rows_inserted": "inserted",
    "Innodb_rows_deleted": "deleted",
    "Innodb_rows_updated": "updated",
}
_MARIADB = {"Handler_write": "inserted", "Handler_delete": "deleted", "Handler_update": "updated"}


class WriteCounts:
    """On servers, which count their work; no other client may use the server meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before = self._so_far()

    def since_start(self) -> dict[str, int]:
        return {name: count - self._before[name] for name, count in self._so_far().items()}

    def _so_far(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql("SHOW GLOBAL STATUS").all()
            names = _MARIADB if getattr(connection.dialect, "is_mariadb", False) else _MYSQL
            counts = {names[str(name)]: int(value) for name, value in rows if name in names}
            offers = connection.exec_driver_sql("SHOW TABLE STATUS LIKE 'offers'").mappings().one()
            return {**counts, "auto_increment": int(offers["Auto_increment"])}
