"""Hands a mail to the operator's mail server: encrypted, and at an address that alerts may be sent to."""

import smtplib
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from email.message import EmailMessage

import certifi

from productator.alerts.networks import is_refused
from productator.domain import Network

_TIMEOUT_S = 5


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


def send(server: MailServer, mail: EmailMessage, allowed: Collection[Network]) -> int:
    """Returns how many of several recipients were refused; raises MailFailure if all were."""
    try:
        with _CheckedSmtp(server, allowed) as smtp:
            smtp.ehlo()
            if server.starttls:
                _encrypt(smtp, server)
            if server.user is not None:
                _log_in(smtp, server.user, server.password or "")
            # Raises if every recipient was refused.
            return len(smtp.send_message(mail))
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailure(_reason(error)) from error


class _CheckedSmtp(smtplib.SMTP):
    """Checks the address where the socket is opened, so that no name is looked up twice."""

    def __init__(self, server: MailServer, allowed: Collection[Network]) -> None:
        self._allowed = allowed
        super().__init__(server.host, server.port, timeout=_TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib calls this to connect."""
        failure: Exception = MailFailure("the mail server has no address")
        for family, type_, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if is_refused(str(address[0]), self._allowed):
                failure = MailFailure(
                    f"{address[0]} is not a public address, and PRODUCTATOR_ALERT_NETWORKS does not allow it"
                )
                continue
            opened = socket.socket(family, type_, protocol)
            try:
                opened.settimeout(timeout)
                opened.connect(address)
            except OSError as error:
                opened.close()
                failure = error
            else:
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
