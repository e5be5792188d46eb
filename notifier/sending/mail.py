"""Mail over SMTP, in threads: Python's client waits for the server."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from html import escape

from notifier.queue.claims import DeliveryClaim
from notifier.queue.results import DeliveryOutcome
from notifier.sending.smtp import MailFailure, MailServer, send
from notifier.sending.wording import wording
from productator.domain import Network
from productator.workers.background import Background

log = logging.getLogger(__name__)

_THREADS = 4
TIMEOUT_S = 15.0
# A long address in a header stays as it is: folded, it would be encoded, and no mail program would read it.
_POLICY = policy.SMTP.clone(max_line_length=998)


class MailSender:
    """Sends a few mails at a time."""

    def __init__(
        self,
        server: MailServer | None,
        *,
        allowed: Collection[Network] = (),
        mute_link: Callable[[int], str | None],
        wake: Callable[[], None],
        timeout_s: float = TIMEOUT_S,
        price_decimals: int = 0,
    ) -> None:
        """`allowed` are networks that the server may be in, though they are not public.

        `mute_link` makes the address by which a reader mutes a rule; None: no public address is set.
        """
        self._server = server
        self._allowed = allowed
        self._mute_link = mute_link
        self._timeout_s = timeout_s
        self._price_decimals = price_decimals
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
        # The database, which makes the link that mutes, may take its time as well.
        until = time.monotonic() + self._timeout_s
        try:
            mute_url = None if claim.rule_id is None else self._mute_link(claim.rule_id)
            mail = mail_of(
                claim, sender=self._server.sender, mute_url=mute_url, decimals=self._price_decimals
            )
            refused = send(self._server, mail, self._allowed, until=until)
        except MailFailure as error:
            return DeliveryOutcome(claim, str(error))
        except Exception as error:
            log.exception("a mail could not be made", extra={"delivery_id": claim.delivery_id})
            return DeliveryOutcome(claim, f"making the mail failed: {type(error).__name__}")
        if not refused:
            return DeliveryOutcome(claim, None)
        # It is not sent again: the others would get it twice.
        places = {"delivery_id": claim.delivery_id, "channel_id": claim.channel.id, "refused": refused}
        log.warning("the mail server refused some of a mail's recipients", extra=places)
        recipients = len(claim.channel.address.split(","))
        return DeliveryOutcome(
            claim, None, note=f"the mail server refused {refused} of {recipients} recipients"
        )


def mail_of(claim: DeliveryClaim, *, sender: str, mute_url: str | None, decimals: int = 0) -> EmailMessage:
    said = wording(claim.event_type, claim.data, decimals=decimals)
    lines = [said.text, *([said.url] if said.url else [])]
    footer = [f"Mute this rule: {mute_url}"] if mute_url else []
    mail = EmailMessage(policy=_POLICY)
    # A header has one line.
    mail["Subject"] = " ".join(said.title.split())
    mail["From"] = sender
    mail["To"] = [Address(addr_spec=each) for each in claim.channel.address.split(",")]
    mail["Date"] = format_datetime(claim.occurred_at)
    # The same on every try: most readers show a mail that came twice once.
    mail["Message-ID"] = f"<{claim.message_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if mute_url and mute_url.startswith("https:"):
        # RFC 8058: mail programs show a button, and post to the address. Only https is allowed.
        mail["List-Unsubscribe"] = f"<{mute_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content("\n".join([*lines, "", *footer]), cte="quoted-printable")
    mail.add_alternative(_html(said.text, said.url, mute_url), subtype="html", cte="quoted-printable")
    return mail


def _html(text: str, url: str | None, mute_url: str | None) -> str:
    paragraphs = [f"<p>{escape(line)}</p>" for line in text.splitlines()]
    if url:
        paragraphs.append(f'<p><a href="{escape(url)}">{escape(url)}</a></p>')
    if mute_url:
        paragraphs.append(f'<p><a href="{escape(mute_url)}">Mute this rule</a></p>')
    return f"<!doctype html><html><body>{''.join(paragraphs)}</body></html>"
