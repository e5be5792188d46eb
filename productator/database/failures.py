"""What a failure of the database means: passing, out of reach, or somebody else's lock."""

from sqlalchemy.exc import DBAPIError

# MySQL: connection refused, too many connections, too many of this user.
_OUT_OF_REACH = {2003, 1040, 1203, 1226, "unable to open database file"}
# This server takes no writes now, another one may: read-only (a failover is under way), a Galera node that
# has lost the others, shutting down.
_ELSEWHERE = {1290, 1792, 1836, 1047, 1053}
# Lock wait timeout, deadlock (on a cluster also at the commit), server gone, connection lost or killed,
# statement killed, failed commit, changed since it was read, table altered or not there (not migrated yet).
_TRANSIENT = {1205, 1213, 2006, 2013, 1927, 1317, 1180, 1020, 1412, 1146} | _OUT_OF_REACH | _ELSEWHERE
# Group Replication: conflict at the commit, member leaving. TiDB: conflicts, schema changed, storage away.
_TRANSIENT |= {3100, 3101, 8002, 8022, 8028, 9001, 9002, 9003, 9004, 9005, 9007}
# SQLite tells it in words.
_TRANSIENT |= {"database is locked", "no such table"}


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    return error.connection_invalidated or _code(error) in _TRANSIENT


def is_of_a_useless_server(error: DBAPIError) -> bool:
    """Whether this server takes no writes now while another one may."""
    return _code(error) in _ELSEWHERE


def is_out_of_reach(error: DBAPIError) -> bool:
    """Whether there was no connection at all."""
    return _code(error) in _OUT_OF_REACH


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether somebody else held a lock for longer than we wait."""
    return is_row_locked(error) or _code(error) == "database is locked"


def is_row_locked(error: DBAPIError) -> bool:
    """Whether somebody else held single rows, for longer than we wait or at all if we do not."""
    return _code(error) in {1205, 3572}


def _code(error: DBAPIError) -> object:
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return code.partition(":")[0] if isinstance(code, str) else code
