"""What has been written since a moment: rows by kind, and ids that were used up."""

from sqlalchemy import Connection, Engine

# MySQL counts InnoDB's rows; MariaDB has given that up, and its handlers count no temporary tables.
_MYSQL = {
    "Innodb_rows_inserted": "inserted",
    "Innodb_rows_deleted": "deleted",
    "Innodb_rows_updated": "updated",
}
_MARIADB = {"Handler_write": "inserted", "Handler_delete": "deleted", "Handler_update": "updated"}


class Traces:
    """For servers, which count what they do; nobody else may use them meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before = self._so_far()

    def left(self) -> dict[str, int]:
        return {name: count - self._before[name] for name, count in self._so_far().items()}

    def _so_far(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql("SHOW GLOBAL STATUS").all()
            names = _MARIADB if _is_mariadb(connection) else _MYSQL
            counts = {names[str(name)]: int(value) for name, value in rows if name in names}
            offers = connection.exec_driver_sql("SHOW TABLE STATUS LIKE 'offers'").mappings().one()
            return {**counts, "auto_increment": int(offers["Auto_increment"])}


def _is_mariadb(connection: Connection) -> bool:
    return "MariaDB" in str(connection.exec_driver_sql("SELECT VERSION()").scalar())
