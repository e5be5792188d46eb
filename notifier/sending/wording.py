"""What an event says to people: a title, a text and a link. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from productator.alerts.deliveries import CHANNEL_DISABLED, DIGEST, TEST
from productator.alerts.sentences import decimal_amount, isolated, with_amount

_Data = Mapping[str, Any]
_LONGEST_NAME = 120
_LINES = 20


class Wording(NamedTuple):
    title: str
    text: str
    # Of the product; None: the event has no page, or nobody said at which address people reach it.
    url: str | None


def wording(event_type: str, data: _Data, *, decimals: int = 0) -> Wording:
    """`decimals` says how many of a price's digits are decimals."""
    product = data.get("product") or {}
    if event_type == DIGEST:
        return _digest(data, decimals)
    url = product.get("url")
    # A path alone leads nowhere from a mail or a chat.
    return Wording(
        _title(event_type, data),
        _text(event_type, data, decimals),
        None if not url or url.startswith("/") else url,
    )


def _digest(data: _Data, decimals: int) -> Wording:
    lines = [_text(each["type"], each["data"], decimals) for each in data["events"][:_LINES]]
    if data["count"] > len(lines):
        lines.append(f"And {data['count'] - len(lines)} more.")
    return Wording(f"{data['count']} alerts", "\n".join(lines), None)


def _title(event_type: str, data: _Data) -> str:
    if event_type == TEST:
        return "Test"
    if event_type == CHANNEL_DISABLED:
        return f"Channel {isolated(data['channel']['name'])} is disabled"
    if event_type.startswith("service."):
        return f"The Offers service is {'up again' if event_type == 'service.up' else 'down'}"
    return f"{_name(data)}: {_NEWS.get(event_type, event_type)}"


def _text(event_type: str, data: _Data, decimals: int) -> str:
    if event_type == TEST:
        return f"This is a test of the channel {isolated(data['channel']['name'])}."
    if event_type == CHANNEL_DISABLED:
        return f"{_title(event_type, data)}. {data['reason']}"
    text = f"{_title(event_type, data)}."
    if data.get("price") is not None:
        before = data.get("price_before")
        text += f" Now {_price(data, data['price'], decimals)}" + (
            f", before {_price(data, before, decimals)}." if before is not None else "."
        )
    sentence = (data.get("rule") or {}).get("sentence")
    if not sentence:
        return text
    # Events have it with whole numbers, as the API has all prices.
    limit = data.get("limit")
    if limit is not None:
        sentence = with_amount(sentence, limit, decimal_amount(limit, decimals))
    return f"{text} {sentence}"


_NEWS = {
    "price.threshold": "the price has reached the limit",
    "price.dropped": "the price has dropped",
    "price.rose": "the price has risen",
    "price.new_low": "the price is at a new low",
    "stock.back": "back in stock",
    "stock.out": "out of stock",
    "product.stale": "the offers are stale",
    "product.failing": "refreshing fails",
}


def _name(data: _Data) -> str:
    name = str((data.get("product") or {}).get("name") or "A product")
    # Titles are one line, also in the headers of mails.
    return isolated(" ".join(name.split())[:_LONGEST_NAME])


def _price(data: _Data, price: int, decimals: int) -> str:
    amount, currency = decimal_amount(price, decimals), data.get("currency")
    return f"{amount} {currency}" if currency else amount
