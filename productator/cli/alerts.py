"""`productator alerts`: the rules that say what to tell whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.orm import Session

from productator.alerts import rules, truth
from productator.alerts.firing import Kind
from productator.alerts.truth import ShownRule
from productator.alerts.validation import NewRuleIn
from productator.catalogue.validation import wrong_fields
from productator.cli.channels import channels
from productator.cli.plain_errors import with_plain_errors
from productator.cli.settings import load_settings, make_sessions
from productator.domain import utc_now
from productator.errors import AlertRuleNotFound, InvalidInput

_A_READ = 200


@click.group()
def alerts() -> None:
    """Creates, lists, mutes and deletes alert rules, and tests the channels that they tell."""


alerts.add_command(channels)


@alerts.command()
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.option("--product", "product_id", type=click.IntRange(min=1), help="About this product only.")
@click.option("--search", "q", help="About the products that this search finds.")
@click.option("--price", type=int, help="Of a threshold.")
@click.option("--percent", type=float, help="Of a drop or a rise.")
@click.option("--channel", "channel_ids", type=int, multiple=True, help="The id of a channel to tell.")
@click.option("--tell-now", is_flag=True, help="Tell at once what is true already.")
@with_plain_errors
def create(**given: Any) -> None:
    """Creates a rule, about all products unless told otherwise, and prints it as a sentence."""
    try:
        new = NewRuleIn.model_validate(given | {"channel_ids": list(given["channel_ids"])})
        with make_sessions().begin() as session:
            now = utc_now()
            rule = rules.create(session, new, now=now)
            if new.tell_now:
                truth.tell_now(session, rule.id, now=now, currency=load_settings().currency)
            (shown,) = truth.shown(session.connection(), [rule])
    except ValidationError as error:
        raise click.ClickException(
            " ".join(f"{where[0]}: {what}" for where, what in wrong_fields(error))
        ) from error
    except InvalidInput as error:
        wrong = (f"{pointer.removeprefix('/')}: {what}" for pointer, what in error.errors)
        raise click.ClickException(" ".join(wrong)) from error
    click.echo(f"{rule.id}: {shown.sentence}")


@alerts.command(name="list")
@with_plain_errors
def list_rules() -> None:
    """Lists all rules as sentences."""
    sessions, position = make_sessions(), None
    while True:
        with sessions() as session:
            connection = session.connection()
            page = rules.page(connection, sort="id", limit=_A_READ, position=position)
            shown = truth.shown(connection, page.rows)
        for each in shown:
            click.echo(f"{each.rule.id:>4}  {_state(each, now=utc_now()):<8}  {each.sentence}")
        position = page.position
        if position is None:
            return


@alerts.command()
@click.argument("rule_id", metavar="ID", type=click.IntRange(min=1))
@click.option("--days", type=click.IntRange(1, 3_650), default=7, show_default=True, help="For so long.")
@with_plain_errors
def mute(rule_id: int, days: int) -> None:
    """Mutes a rule: its events are kept, and delivered to nobody."""
    now = utc_now()
    until = now + timedelta(days=days)
    with _changing() as session:
        rules.mute(session, rule_id, until=until, now=now)
    click.echo(f"Rule {rule_id} is muted until {until:%Y-%m-%d %H:%M} UTC.")


@alerts.command()
@click.argument("rule_id", metavar="ID", type=click.IntRange(min=1))
@with_plain_errors
def unmute(rule_id: int) -> None:
    """Ends the muting of a rule."""
    with _changing() as session:
        rules.mute(session, rule_id, until=None, now=utc_now())
    click.echo(f"Rule {rule_id} is not muted.")


@alerts.command()
@click.argument("rule_id", metavar="ID", type=click.IntRange(min=1))
@with_plain_errors
def delete(rule_id: int) -> None:
    """Deletes a rule; its events stay."""
    with _changing() as session:
        rules.remove(session, rule_id)
    click.echo(f"Rule {rule_id} is deleted.")


def _state(shown: ShownRule, *, now: datetime) -> str:
    if not shown.rule.active:
        return "inactive"
    if shown.rule.muted_until is not None and shown.rule.muted_until > now:
        return "muted"
    return "fired" if shown.is_fired else "armed"


@contextmanager
def _changing() -> Iterator[Session]:
    try:
        with make_sessions().begin() as session:
            yield session
    except AlertRuleNotFound as error:
        raise click.ClickException(str(error)) from error
