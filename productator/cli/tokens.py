"""`productator tokens`: who may use the API."""

import re
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from productator.access import api_tokens as service
from productator.cli.command import settings_given, told_in_a_sentence
from productator.config import Settings
from productator.database.engine import make_engine
from productator.domain import TOKEN_NAME_LENGTH, Scope, utc_now
from productator.models import ApiToken

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_ROW = "{:>4}  {:<8}  {:<24}  {:<5}  {:<7}  {:<16}  {:<16}  {:<16}"
_COLUMNS = ("id", "begins", "name", "scope", "state", "created", "expires", "last used")


class Expiry(click.ParamType[datetime]):
    """A moment in the future: in so many days (90d), hours or minutes, or at a time (UTC unless it says)."""

    name = "when"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        now = utc_now()
        try:
            moment = _after(value, now=now) or _at(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time such as 2027-01-31T12:00Z nor a span such as 90d.", param, ctx
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


def _readable(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not name.strip() or not name.isprintable() or len(name) > TOKEN_NAME_LENGTH:
        raise click.BadParameter(f"a name has 1 to {TOKEN_NAME_LENGTH} printable characters.")
    return name


@click.group()
def tokens() -> None:
    """Makes, lists and revokes the tokens of the API's callers."""


@tokens.command()
@click.argument("name", callback=_readable)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may do: admin includes write, write includes read.",
)
@click.option("--expires", type=Expiry(), help="When it ends: 90d, 12h, 30m, or a time. [default: never]")
@told_in_a_sentence
def create(name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Makes a token and prints it, now and never again."""
    with _sessions().begin() as session:
        token, secret = service.create(
            session, name=name, scopes=map(Scope, scopes), expires_at=expires, now=utc_now()
        )
        made = f"Token {token.id} ({token.name}: {token.scopes}) is shown only now."
    # What is not the token goes the other way, so that TOKEN=$(...) takes the token alone.
    click.echo(made, err=True)
    click.echo(secret)


@tokens.command(name="list")
@told_in_a_sentence
def list_tokens() -> None:
    """Lists all tokens, revoked ones included, by what they begin with. Times are UTC."""
    now = utc_now()
    click.echo(_ROW.format(*_COLUMNS).rstrip())
    with _sessions().begin() as session:
        for token in service.list_all(session):
            click.echo(_row(token, now=now))


def _row(token: ApiToken, *, now: datetime) -> str:
    times = (token.created_at, token.expires_at, token.last_used_at)
    shown = (f"{time:%Y-%m-%d %H:%M}" if time else "never" for time in times)
    values = (token.id, token.prefix, token.name, token.scopes, service.state(token, now=now), *shown)
    return _ROW.format(*values).rstrip()


@tokens.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(min=1))
@told_in_a_sentence
def revoke(token_id: int) -> None:
    """Ends a token at once, in all running APIs."""
    with _sessions().begin() as session:
        token = service.revoke(session, token_id, now=utc_now())
        click.echo(f"Token {token.id} ({token.name}) is revoked.")


def first_token(settings: Settings) -> str | None:
    """An admin token, where none was given and none ever made; of several starts at once, one gets it."""
    if settings.auth == "off" or settings.admin_token:
        return None
    try:
        with sessionmaker(make_engine(settings.database_url)).begin() as session:
            return service.create_first(session, now=utc_now())
    except IntegrityError:
        return None
    except SQLAlchemyError as error:
        # The API starts without its database, too, and says so when it is asked.
        click.echo(f"It is not known whether there is a token yet: {error.__cause__ or error}", err=True)
        return None


def _sessions() -> sessionmaker[Session]:
    return sessionmaker(make_engine(settings_given().database_url))
