"""`productator tokens`: who may use the API."""

import re
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from productator.access import api_tokens
from productator.catalogue.validation import is_blank
from productator.cli.plain_errors import with_plain_errors
from productator.cli.settings import make_sessions
from productator.config import Settings
from productator.database.engine import make_engine
from productator.database.failures import reason
from productator.domain import TOKEN_NAME_LENGTH, Scope, utc_now
from productator.models import ApiToken

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_ROW = "{:>4}  {:<8}  {:<24}  {:<5}  {:<7}  {:<16}  {:<16}  {:<16}"
_COLUMNS = ("id", "prefix", "name", "scope", "state", "created", "expires", "last used")


class Expiry(click.ParamType[datetime]):
    """A time in the future: in days (90d), hours or minutes from now, or absolute (UTC if it has no zone)."""

    name = "when"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        now = utc_now()
        try:
            moment = _after(value, now=now) or _at(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time such as 2027-01-31T12:00Z nor a duration such as 90d.",
                param,
                ctx,
            )
        if moment <= now:
            self.fail(f"{value} is not in the future.", param, ctx)
        return moment


def _after(value: str, *, now: datetime) -> datetime | None:
    found = re.fullmatch("([0-9]+)([mhd])", value)
    return now + timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def _at(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _token_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if is_blank(name) or not name.isprintable() or len(name) > TOKEN_NAME_LENGTH:
        raise click.BadParameter(f"A name has 1 to {TOKEN_NAME_LENGTH} printable characters.")
    return name


@click.group()
def tokens() -> None:
    """Creates, lists and revokes API tokens."""


@tokens.command()
@click.argument("name", callback=_token_name)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the token allows: admin includes write, write includes read.",
)
@click.option(
    "--expires", type=Expiry(), help="When the token expires: 90d, 12h, 30m, or a time. [default: never]"
)
@with_plain_errors
def create(name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Creates a token and prints it; it cannot be shown again."""
    with make_sessions().begin() as session:
        token, secret = api_tokens.create(
            session, name=name, scopes=map(Scope, scopes), expires_at=expires, now=utc_now()
        )
        note = f"Token {token.id} ({token.name}: {token.scopes}) is shown only this once."
    # On standard error, so that TOKEN=$(...) gets the token alone.
    click.echo(note, err=True)
    click.echo(secret)


@tokens.command(name="list")
@with_plain_errors
def list_tokens() -> None:
    """Lists all tokens, revoked ones too, by their prefix. Times are UTC."""
    now = utc_now()
    click.echo(_ROW.format(*_COLUMNS).rstrip())
    with make_sessions().begin() as session:
        for token in api_tokens.list_all(session):
            click.echo(_row(token, now=now))


def _row(token: ApiToken, *, now: datetime) -> str:
    times = (token.created_at, token.expires_at, token.last_used_at)
    shown = (f"{time:%Y-%m-%d %H:%M}" if time else "never" for time in times)
    values = (token.id, token.prefix, token.name, token.scopes, api_tokens.state(token, now=now), *shown)
    return _ROW.format(*values).rstrip()


@tokens.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(min=1))
@with_plain_errors
def revoke(token_id: int) -> None:
    """Revokes a token, at once, in all running APIs."""
    with make_sessions().begin() as session:
        token = api_tokens.revoke(session, token_id, now=utc_now())
        click.echo(f"Token {token.id} ({token.name}) is revoked.")


def first_token(settings: Settings) -> str | None:
    """A new admin token if none is set and none was ever created.

    Of several programs that start at once, one gets it.
    """
    if settings.auth == "off" or settings.admin_token:
        return None
    try:
        with sessionmaker(make_engine(settings.database_url)).begin() as session:
            return api_tokens.create_first(session, now=utc_now())
    except IntegrityError:
        return None
    except SQLAlchemyError as error:
        # The API starts without its database, too; its answers then say so.
        click.echo(f"Cannot check whether a token exists: {reason(error)}.", err=True)
        return None
