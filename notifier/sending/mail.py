"""Mail over SMTP, in threads: Python's client waits for the server."""

import logging
import smtplib
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from html import escape

from notifier.queue.claims import DeliveryClaim
from notifier.queue.results import DeliveryOutcome
from notifier.sending.wording import wording
from productator.workers.background import Background

log = logging.getLogger(__name__)

_THREADS = 4
_TIMEOUT_S = 5


@dataclass(frozen=True)
class MailServer:
    """The operator's mail server."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    # The address that mails come from.
    sender: str


class MailSender:
    """Sends a few mails at a time."""

    def __init__(
        self,
        server: MailServer | None,
        *,
        mute_link: Callable[[int], str | None],
        wake: Callable[[], None],
    ) -> None:
        """`mute_link` makes the address by which a reader mutes a rule; None: no public address is set."""
        self._server = server
        self._mute_link = mute_link
        self._waiting: deque[DeliveryClaim] = deque()
        self._threads = [
            Background[DeliveryOutcome](f"mail-{number}", wake=wake) for number in range(_THREADS)
        ]

    @property
    def under_way(self) -> int:
        return len(self._waiting) + sum(each.is_busy for each in self._threads)

    def send(self, claim: DeliveryClaim) -> None:
        self._waiting.append(claim)

    def receive(self) -> list[DeliveryOutcome]:
        """What has ended; starts what waits, unless it has waited for longer than its claim lasts."""
        outcomes = [outcome for each in self._threads if (outcome := each.take()) is not None]
        idle = [each for each in self._threads if not each.is_busy]
        while self._waiting and (idle or self._waiting[0].has_lapsed):
            claim = self._waiting.popleft()
            if claim.has_lapsed:
                outcomes.append(DeliveryOutcome(claim, None, is_lapsed=True))
            else:
                idle.pop().start(partial(self._outcome, claim))
        return outcomes

    def _outcome(self, claim: DeliveryClaim) -> DeliveryOutcome:
        if self._server is None:
            return DeliveryOutcome(claim, "SMTP_HOST is not set")
        try:
            mute_url = None if claim.rule_id is None else self._mute_link(claim.rule_id)
            _send(self._server, mail_of(claim, sender=self._server.sender, mute_url=mute_url))
        except (OSError, smtplib.SMTPException) as error:
            return DeliveryOutcome(claim, _reason(error))
        except Exception as error:
            log.exception("a mail could not be made", extra={"delivery_id": claim.delivery_id})
            return DeliveryOutcome(claim, f"making the mail failed: {type(error).__name__}")
        return DeliveryOutcome(claim, None)


def mail_of(claim: DeliveryClaim, *, sender: str, mute_url: str | None) -> EmailMessage:
    said = wording(claim.event_type, claim.data)
    lines = [said.text, *([said.url] if said.url else [])]
    footer = [f"Mute this rule: {mute_url}"] if mute_url else []
    mail = EmailMessage()
    # A header has one line.
    mail["Subject"] = " ".join(said.title.split())
    mail["From"] = sender
    mail["To"] = [Address(addr_spec=each) for each in claim.channel.address.split(",")]
    mail["Date"] = format_datetime(claim.occurred_at)
    # The same on every try: most readers show a mail that came twice once.
    mail["Message-ID"] = f"<{claim.message_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([*lines, "", *footer]))
    mail.add_alternative(_html(said.text, said.url, mute_url), subtype="html")
    return mail


def _html(text: str, url: str | None, mute_url: str | None) -> str:
    paragraphs = [f"<p>{escape(line)}</p>" for line in text.splitlines()]
    if url:
        paragraphs.append(f'<p><a href="{escape(url)}">{escape(url)}</a></p>')
    if mute_url:
        paragraphs.append(f'<p><a href="{escape(mute_url)}">Mute this rule</a></p>')
    return f"<!doctype html><html><body>{''.join(paragraphs)}</body></html>"


def _send(server: MailServer, mail: EmailMessage) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S) as smtp:
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if server.user is not None:
            # smtplib refuses a server without authentication; a password never goes out unencrypted.
            if not isinstance(smtp.sock, ssl.SSLSocket):
                raise smtplib.SMTPNotSupportedError("the server has no STARTTLS, and a password is set")
            smtp.login(server.user, server.password or "")
        # Raises if every recipient was refused.
        smtp.send_message(mail)


def _reason(error: OSError | smtplib.SMTPException) -> str:
    """The class of the error and its code; what a server says may hold anything."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refused every recipient"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"the mail server cannot be reached: {error.strerror}"
    return f"sending the mail failed: {type(error).__name__}"
