"""The HTTP request that each kind of channel wants."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from notifier.queue.claims import DeliveryClaim
from notifier.sending.signing import signed_headers
from notifier.sending.wording import Wording, wording
from productator.alerts.channels import ChannelKind, old_secrets
from productator.alerts.sealing import Seal
from productator.domain import time_json

_JSON = {"Content-Type": "application/json"}
# Discord refuses more.
_DISCORD_LENGTH = 2_000
# ntfy takes more for a file, and refuses it where files are not allowed.
_NTFY_BYTES = 4_096


class HttpRequest(NamedTuple):
    """A POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def request_for(claim: DeliveryClaim, seal: Seal, *, now: datetime, decimals: int = 0) -> HttpRequest:
    """Raises SecretUnreadable. `decimals` is about prices in texts for people."""
    return _FORMATS[ChannelKind(claim.channel.kind)](claim, seal, now, decimals)


def payload(claim: DeliveryClaim) -> bytes:
    """The body of a webhook, the same on every try."""
    timestamp = time_json(claim.occurred_at)
    return _json({"type": claim.event_type, "timestamp": timestamp, "data": claim.data})


def _webhook(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    channel, body = claim.channel, payload(claim)
    stored = [channel.secret] if channel.secret else []
    stored += old_secrets(channel.old_secret, channel.old_secret_until, now)
    secrets = [seal.open(each) for each in stored]
    headers = signed_headers(claim.message_id, body, secrets=secrets, now=now)
    return HttpRequest(channel.address, _JSON | headers, body)


def _slack(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001 - one signature for all
    said = _said(claim, decimals)
    # Slack reads these three characters as its own marks.
    text = said.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _post(claim, {"text": _with_link(text, said)})


def _mattermost(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    said = _said(claim, decimals)
    return _post(claim, {"text": _with_link(said.text, said)})


def _discord(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    said = _said(claim, decimals)
    content = _with_link(said.text, said)[:_DISCORD_LENGTH]
    # A product called @everyone calls nobody.
    return _post(claim, {"content": content, "allowed_mentions": {"parse": []}})


def _apprise(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    said = _said(claim, decimals)
    return _post(claim, {"title": said.title, "body": _with_link(said.text, said), "type": "info"})


def _gotify(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    said = _said(claim, decimals)
    request = _post(claim, {"title": said.title, "message": _with_link(said.text, said), "priority": 5})
    token = {"X-Gotify-Key": seal.open(claim.channel.secret)} if claim.channel.secret else {}
    return request._replace(url=f"{request.url.rstrip('/')}/message", headers=request.headers | token)


def _ntfy(claim: DeliveryClaim, seal: Seal, now: datetime, decimals: int) -> HttpRequest:  # noqa: ARG001
    said = _said(claim, decimals)
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Title": _header(said.title)}
    if said.url:
        headers["X-Click"] = _header(said.url)
    if claim.channel.secret:
        headers["Authorization"] = f"Bearer {seal.open(claim.channel.secret)}"
    return HttpRequest(claim.channel.address, headers, _cut(said.text, _NTFY_BYTES))


_FORMATS: dict[ChannelKind, Callable[[DeliveryClaim, Seal, datetime, int], HttpRequest]] = {
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.SLACK: _slack,
    ChannelKind.MATTERMOST: _mattermost,
    ChannelKind.DISCORD: _discord,
    ChannelKind.APPRISE: _apprise,
    ChannelKind.GOTIFY: _gotify,
    ChannelKind.NTFY: _ntfy,
}


def _said(claim: DeliveryClaim, decimals: int) -> Wording:
    return wording(claim.event_type, claim.data, decimals=decimals)


def _with_link(text: str, said: Wording) -> str:
    return f"{text}\n{said.url}" if said.url else text


def _cut(text: str, most_bytes: int) -> bytes:
    body, dots = text.encode(), "…".encode()
    if len(body) <= most_bytes:
        return body
    # Between two characters.
    return body[: most_bytes - len(dots)].decode(errors="ignore").encode() + dots


def _header(text: str) -> str:
    """One line of ASCII: ntfy decodes the rest as mail programs do (RFC 2047)."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    encoded = "".join(f"={byte:02X}" for byte in line.encode())
    return f"=?utf-8?q?{encoded}?="


def _post(claim: DeliveryClaim, body: dict[str, Any]) -> HttpRequest:
    return HttpRequest(claim.channel.address, dict(_JSON), _json(body))


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
