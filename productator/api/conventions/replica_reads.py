"""Which requests may read from the replica: those whose callers certainly read what they wrote, all the same.

Callers who cannot write may. A token that can is noted in the primary when it writes, and for some time
after that it reads from the primary, whichever worker or machine it asks. Callers without a token of the
database (administrators and JSON Web Tokens that may write, everybody where access control is off) always do.
"""

from datetime import timedelta
from typing import Literal

from flask import Flask, g, request

from productator.access import api_tokens
from productator.api.conventions import auth
from productator.database.replica import Replica
from productator.database.web import database, read_from_replica, reading
from productator.domain import Caller, Scope, utc_now

_READING = {"GET", "HEAD"}
_READ = "/api/"
_CLOCKS_DIFFER = timedelta(seconds=2)


def init_app(app: Flask, replica: Replica, *, budget_s: float) -> None:
    """Call this after access control: its own hook then knows the caller."""
    # From the note of a write until it is in the replica, at the most.
    longest = timedelta(seconds=budget_s + replica.most_lag_s)
    primary_for = api_tokens.WRITE_RECORDED_EVERY + longest + _CLOCKS_DIFFER

    def choose() -> None:
        if request.method not in _READING or request.url_rule is None:
            return
        if not request.url_rule.rule.startswith(_READ):
            return
        outcome = _outcome(replica, primary_for)
        replica.metrics.count_replica_read(outcome)
        if outcome == "replica":
            read_from_replica()

    app.before_request(choose)
    with app.app_context():
        database().before_write = _note_write


def _outcome(replica: Replica, primary_for: timedelta) -> Literal["replica", "wrote", "behind"]:
    if _may_have_written(primary_for):
        return "wrote"
    return "replica" if replica.is_close else "behind"


def _may_have_written(lately: timedelta) -> bool:
    caller: Caller | None = g.get("caller")
    if caller is None:
        return auth.rules() is None
    if not caller.may(Scope.WRITE):
        return False
    token: api_tokens.ValidToken | None = g.get("api_token")
    return token is None or (token.wrote_at is not None and utc_now() - token.wrote_at < lately)


def _note_write() -> None:
    """Before the transaction: its time begins later than the note."""
    token: api_tokens.ValidToken | None = g.get("api_token")
    if token is not None and api_tokens.is_write_due(token, now=(now := utc_now())):
        with reading() as connection:
            api_tokens.record_write(connection, token.id, now=now)
        g.api_token = token._replace(wrote_at=now)
