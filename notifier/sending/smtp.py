"""Hands a mail to the operator's mail server: encrypted, and at an address that alerts may be sent to."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import certifi

from productator.alerts.networks import is_refused
from productator.domain import Network

# Of one step: to connect, or to wait for an answer.
_STEP_S = 5.0
_TOO_LONG = "sending the mail took too long"


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    # The address that mails come from.
    sender: str
    # Without it everything is sent unencrypted, but never a password.
    starttls: bool = True
    # The authorities of its certificate; None: the public ones.
    ca_file: str | None = None


class MailFailure(Exception):
    """Says what failed without the server's words, which may hold anything."""


def send(server: MailServer, mail: EmailMessage, allowed: Collection[Network], *, until: float) -> int:
    """Returns how many of several recipients were refused; raises MailFailure if all were.

    `until` limits all steps together, by the monotonic clock.
    """
    try:
        with _CheckedSmtp(server, allowed, until) as smtp:
            smtp.ehlo()
            if server.starttls:
                _encrypt(smtp, server)
            if server.user is not None:
                _log_in(smtp, server.user, server.password or "")
            # Raises if every recipient was refused.
            return len(smtp.send_message(mail))
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailure(_TOO_LONG if time.monotonic() >= until else _reason(error)) from error


class _TimeLimit:
    """Ends a connection when its time is over, whatever it does then."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        # A socket of its own: smtplib replaces the other one to encrypt.
        self._socket = connection.dup()
        self._timer = threading.Timer(until - time.monotonic(), self._end)
        self._timer.daemon = True
        self._timer.start()

    def lift(self) -> None:
        self._timer.cancel()
        self._socket.close()

    def _end(self) -> None:
        # The server may have ended it.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class _CheckedSmtp(smtplib.SMTP):
    """Checks the address where the socket is opened, so that no name is looked up twice."""

    def __init__(self, server: MailServer, allowed: Collection[Network], until: float) -> None:
        self._allowed = allowed
        self._until = until
        self._limit: _TimeLimit | None = None
        super().__init__(server.host, server.port, timeout=_STEP_S)

    def __exit__(self, *raised: Any) -> None:
        # Once a mail is accepted, a farewell that fails must not make it fail: it would be sent again.
        with suppress(OSError, smtplib.SMTPException):
            super().__exit__(*raised)

    def close(self) -> None:
        super().close()
        if self._limit is not None:
            self._limit.lift()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib calls this to connect."""
        failure: Exception = MailFailure("the mail server has no address")
        for family, type_, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if is_refused(str(address[0]), self._allowed):
                failure = MailFailure(
                    f"{address[0]} is not a public address, and PRODUCTATOR_ALERT_NETWORKS does not allow it"
                )
                continue
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise MailFailure(_TOO_LONG)
            opened = socket.socket(family, type_, protocol)
            try:
                opened.settimeout(min(timeout, left_s))
                opened.connect(address)
            except OSError as error:
                opened.close()
                failure = error
            else:
                opened.settimeout(timeout)
                self._limit = _TimeLimit(opened, self._until)
                return opened
        raise failure


def _encrypt(smtp: smtplib.SMTP, server: MailServer) -> None:
    if not smtp.has_extn("starttls"):
        raise MailFailure("the mail server has no STARTTLS; SMTP_STARTTLS=off sends without it")
    smtp.starttls(context=ssl.create_default_context(cafile=server.ca_file or certifi.where()))
    smtp.ehlo()


def _log_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    if not isinstance(smtp.sock, ssl.SSLSocket):
        raise MailFailure("a password is set, and is never sent without STARTTLS")
    smtp.login(user, password)


def _reason(error: OSError | smtplib.SMTPException) -> str:
    """The class of the error and its code."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refused every recipient"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is not accepted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return f"the mail server cannot be reached: {error.strerror}"
    return f"sending the mail failed: {type(error).__name__}"
