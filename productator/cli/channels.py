"""`productator alerts channels`: where alerts go, and whether they arrive."""

import click

from productator.alerts import channels as alerts
from productator.alerts.channels import ChannelRow
from productator.alerts.sealing import Seal, SecretUnreadable
from productator.cli.plain_errors import with_plain_errors
from productator.cli.settings import load_settings, make_sessions
from productator.domain import utc_now
from productator.errors import ChannelNotFound

_A_READ = 200


@click.group()
def channels() -> None:
    """Lists and tests channels, encrypts their secrets. The page /alerts/channels or the API makes them."""


@channels.command(name="list")
@with_plain_errors
def list_channels() -> None:
    """Lists all channels: id, kind, how it does, last success, name."""
    sessions, position = make_sessions(), None
    while True:
        with sessions() as session:
            page = alerts.page(session.connection(), sort="id", limit=_A_READ, position=position)
        for each in page.rows:
            success = f"{each.last_success_at:%Y-%m-%d %H:%M}" if each.last_success_at else "never"
            reason = f"  {each.disabled_reason}" if each.disabled_reason else ""
            click.echo(
                f"{each.id:>4}  {each.kind:<10}  {_state(each):<8}  {success:<16}  {each.name}{reason}"
            )
        position = page.position
        if position is None:
            return


@channels.command(name="test")
@click.argument("channel_id", metavar="ID", type=click.IntRange(min=1))
@with_plain_errors
def send_test(channel_id: int) -> None:
    """Sends a test message; its success enables a disabled channel."""
    try:
        with make_sessions().begin() as session:
            delivery = alerts.test(session, channel_id, now=utc_now())
    except ChannelNotFound as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Delivery {delivery.id} is on its way; the notifier sends it.")


@channels.command()
@with_plain_errors
def encrypt() -> None:
    """Encrypts all secrets with PRODUCTATOR_SECRET_KEY; PRODUCTATOR_PREVIOUS_SECRET_KEY decrypts old ones."""
    settings = load_settings()
    if settings.secret_key is None:
        raise click.ClickException("PRODUCTATOR_SECRET_KEY is not set.")
    try:
        with make_sessions().begin() as session:
            done = alerts.encrypt_secrets(session, Seal(settings.secret_key, settings.previous_secret_key))
    except SecretUnreadable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"The secrets of {done} channels are encrypted with PRODUCTATOR_SECRET_KEY.")


def _state(channel: ChannelRow) -> str:
    if channel.disabled_at is not None:
        return "disabled"
    if channel.failing_since is not None:
        return "failing"
    return "works" if channel.last_success_at is not None else "unused"
