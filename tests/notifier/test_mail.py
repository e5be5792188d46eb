"""Alerts by mail, received by a real SMTP server."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from notifier.sending.mail import MailServer
from productator.alerts.channels import ChannelKind
from productator.models import Delivery
from tests.notifier import rows

Sessions = sessionmaker[Session]


@dataclass
class Inbox:
    answer: str = "250 OK"
    recipients: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def mail_server(inbox: Inbox) -> Iterator[MailServer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield MailServer("127.0.0.1", port, None, None, "alerts@shop.example")
    controller.stop()


def test_a_mail_goes_to_every_address_as_text_and_html_with_a_link_that_mutes(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer
) -> None:
    addresses = "a@x.example,b@y.example"
    channel_id, _ = rows.new_channel(sessions, addresses, ChannelKind.EMAIL)
    rows.new_delivery(sessions, channel_id)
    with sessions.begin() as session:
        session.execute(update(Delivery).values(rule_id=7))

    rows.deliver(sessions, mail_server=mail_server)

    (mail,) = inbox.mails
    assert inbox.recipients == addresses.split(",")
    assert "Hand mill" in mail["Subject"]
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert "4,990 CZK" in part.get_content()
        assert "https://shop.example/mute/7" in part.get_content()
    (delivery,) = rows.deliveries(sessions)
    assert delivery.status == "delivered"
    assert delivery.message_id in mail["Message-ID"]


def test_a_name_of_several_lines_adds_no_header(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer
) -> None:
    channel_id, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    name = "Mill\r\nBcc: other@x.example\r\n\r\n<b>"
    rows.new_delivery(sessions, channel_id, data=rows.DATA | {"product": {"name": name}})

    rows.deliver(sessions, mail_server=mail_server)

    (mail,) = inbox.mails
    assert mail["Bcc"] is None
    assert inbox.recipients == ["a@x.example"]


def test_a_mail_that_cannot_be_made_fails_alone(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer
) -> None:
    # As an older version may have saved it.
    wrong, _ = rows.new_channel(sessions, "a..b@x.example", ChannelKind.EMAIL)
    right, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    rows.new_delivery(sessions, wrong, right)

    rows.deliver(sessions, mail_server=mail_server)

    assert inbox.recipients == ["a@x.example"]
    failed, delivered = sorted(rows.deliveries(sessions), key=lambda each: each.channel_id)
    assert (failed.status, delivered.status) == ("pending", "delivered")
    assert failed.last_error is not None
    assert failed.last_error.startswith("making the mail failed")


def test_a_mail_that_the_server_refuses_is_tried_again(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer
) -> None:
    inbox.answer = "451 try again"
    channel_id, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions, mail_server=mail_server)

    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.last_error) == ("pending", "the mail server answered 451")


def test_without_a_mail_server_the_setting_is_named(sessions: Sessions) -> None:
    channel_id, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions)

    (delivery,) = rows.deliveries(sessions)
    assert delivery.last_error == "SMTP_HOST is not set"
