"""Alerts by mail, received by a real SMTP server."""

import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from notifier.queue.claims import LONGEST_CALL, DeliveryClaim, Target
from notifier.sending import http, smtp
from notifier.sending.mail import TIMEOUT_S, mail_of
from notifier.sending.smtp import MailFailure, MailServer
from productator.alerts.channels import ChannelKind
from productator.domain import Network, utc_now
from productator.models import Delivery
from tests.notifier import rows
from tests.refresher import tls

Sessions = sessionmaker[Session]
HOST = "127.0.0.1"
# Of a server that drips: it would take five seconds.
_LETTERS = 100


@dataclass
class Inbox:
    answer: str = "250 OK"
    farewell: str = "221 Bye"
    recipients: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    refused: str | None = None

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address == self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        return self.farewell


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def mail_server(inbox: Inbox) -> Iterator[MailServer]:
    with running(inbox) as server:
        yield server


@contextmanager
def running(inbox: Inbox, **options: Any) -> Iterator[MailServer]:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname=HOST, port=port, **options)
    controller.start()
    yield MailServer(HOST, port, None, None, "alerts@shop.example", starttls=False)
    controller.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of an authority that nobody else trusts, with its key."""
    return tls.certificate(tmp_path)


@pytest.fixture
def encrypting(inbox: Inbox, certificate: Path) -> Iterator[MailServer]:
    """A mail server that takes nothing before STARTTLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with running(inbox, tls_context=context, require_starttls=True) as server:
        yield replace(server, starttls=True)


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
    # RFC 8058.
    assert mail["List-Unsubscribe"] == "<https://shop.example/mute/7>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_recipient_that_is_refused_is_told_of_though_others_get_the_mail(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.refused = "gone@y.example"
    channel_id, _ = rows.new_channel(sessions, "a@x.example,gone@y.example", ChannelKind.EMAIL)
    rows.new_delivery(sessions, channel_id)

    rows.deliver(sessions, mail_server=mail_server)

    assert inbox.recipients == ["a@x.example"]
    (delivery,) = rows.deliveries(sessions)
    assert delivery.status == "delivered"
    assert delivery.last_error == "the mail server refused 1 of 2 recipients"
    assert "the mail server refused some of a mail's recipients" in caplog.text
    assert "gone@y.example" not in caplog.text


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


def _mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "alerts@shop.example", "a@x.example"
    mail.set_content("Now 4,990.")
    return mail


def _send(server: MailServer, allowed: Collection[Network], *, within_s: float = 15.0) -> None:
    smtp.send(server, _mail(), allowed, until=time.monotonic() + within_s)


def test_a_mail_is_sent_encrypted_to_a_server_of_a_private_authority(
    inbox: Inbox, encrypting: MailServer, certificate: Path
) -> None:
    _send(replace(encrypting, ca_file=str(certificate)), rows.LOOPBACK)

    assert inbox.recipients == ["a@x.example"]


def test_a_mail_that_was_accepted_stays_so_whatever_the_farewell(
    inbox: Inbox, mail_server: MailServer
) -> None:
    inbox.farewell = "421 too busy to say goodbye"
    _send(mail_server, rows.LOOPBACK)

    assert len(inbox.mails) == 1


def test_a_server_whose_certificate_nobody_knows_gets_nothing(inbox: Inbox, encrypting: MailServer) -> None:
    with pytest.raises(MailFailure, match="certificate is not accepted"):
        _send(encrypting, rows.LOOPBACK)

    assert inbox.mails == []


def test_a_server_without_starttls_gets_nothing_unless_that_is_allowed(
    inbox: Inbox, mail_server: MailServer
) -> None:
    with pytest.raises(MailFailure, match="no STARTTLS"):
        _send(replace(mail_server, starttls=True), rows.LOOPBACK)

    assert inbox.mails == []


def test_a_password_is_never_sent_unencrypted(inbox: Inbox, mail_server: MailServer) -> None:
    with pytest.raises(MailFailure, match="never sent without STARTTLS"):
        _send(replace(mail_server, user="ops", password="secret"), rows.LOOPBACK)

    assert inbox.mails == []


def test_a_mail_server_at_a_private_address_is_not_even_connected_to(
    inbox: Inbox, mail_server: MailServer
) -> None:
    with pytest.raises(MailFailure, match=r"127\.0\.0\.1 is not a public address"):
        _send(mail_server, ())

    assert inbox.mails == []


@contextmanager
def dripping(sent: list[bytes]) -> Iterator[MailServer]:
    """A mail server whose answer comes letter by letter, so that none of its steps takes long."""
    with socket.create_server((HOST, 0)) as listening:
        is_over = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                for _ in range(_LETTERS):
                    connection.sendall(b"2")
                    sent.append(b"2")
                    is_over.wait(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        yield MailServer(HOST, listening.getsockname()[1], None, None, "alerts@shop.example", starttls=False)
        is_over.set()
        thread.join()


def test_all_steps_of_a_mail_together_end_in_time(sessions: Sessions) -> None:
    channel_id, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    rows.new_delivery(sessions, channel_id)

    sent: list[bytes] = []
    with dripping(sent) as server:
        rows.deliver(sessions, mail_server=server, timeout_s=0.5)

    assert len(sent) < _LETTERS
    (delivery,) = rows.deliveries(sessions)
    assert (delivery.status, delivery.last_error) == ("pending", "sending the mail took too long")


def test_a_mail_whose_time_is_over_is_not_sent(inbox: Inbox, mail_server: MailServer) -> None:
    with pytest.raises(MailFailure, match="took too long"):
        _send(mail_server, rows.LOOPBACK, within_s=0.0)

    assert inbox.mails == []


def test_calls_and_mails_end_before_the_lease_of_a_claim_that_began_late() -> None:
    assert max(http.TIMEOUT_S, TIMEOUT_S) < LONGEST_CALL.total_seconds()


def test_a_long_address_that_mutes_is_not_encoded_in_the_header() -> None:
    url = f"https://prices.example/{'long/' * 30}mute/7"
    target = Target(1, "email", "Ops", "a@x.example")
    claim = DeliveryClaim(1, "t", "msg_1", 0, "price.threshold", rows.DATA, utc_now(), 7, target)

    text = mail_of(claim, sender="alerts@shop.example", mute_url=url).as_bytes()

    assert f"List-Unsubscribe: <{url}>\r\n".encode() in text


def test_a_mail_links_to_the_product_where_people_reach_it(
    sessions: Sessions, inbox: Inbox, mail_server: MailServer
) -> None:
    channel_id, _ = rows.new_channel(sessions, "a@x.example", ChannelKind.EMAIL)
    product = {"id": 13, "name": "Hand mill", "url": "/products/13"}
    for public_url in ("https://shop.example", None):
        rows.new_delivery(sessions, channel_id, data={**rows.DATA, "product": product})
        rows.deliver(sessions, mail_server=mail_server, public_url=public_url)

    linked, unlinked = (mail.as_string() for mail in inbox.mails)
    assert linked.count("https://shop.example/products/13") == 3
    assert "/products/13" not in unlinked
