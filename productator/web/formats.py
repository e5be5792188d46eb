"""How pages write numbers, prices and times, in the language of the reader where it matters."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from flask import Flask, current_app, g, request
from markupsafe import Markup

from productator.domain import utc_now

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_NARROW = "\u202f"
# How a language separates thousands, and decimals; English where it is not listed.
_SEPARATORS = {
    **dict.fromkeys(("cs", "fr", "pl", "sk", "sv", "nb", "no", "fi", "ru", "uk", "bg", "hu"), (_NARROW, ",")),
    **dict.fromkeys(("de", "es", "it", "nl", "pt", "da", "tr", "id", "el", "ro", "hr", "sl"), (".", ",")),
}
_ENGLISH = (",", ".")
_DIGITS_OF_A_GROUP = 3


class Writing(NamedTuple):
    """How a reader and an installation write prices."""

    thousands: str
    point: str
    decimals: int
    currency: str | None


def init_app(app: Flask) -> None:
    filters = (number, price, typed_price, percent, duration, exact_duration, ago, moment, instant)
    app.jinja_env.filters |= {each.__name__: each for each in filters}


def number(value: int | float, decimals: int = 0) -> str:
    writing = _writing()
    text = f"{value:,.{decimals}f}"
    return text.replace(",", "\0").replace(".", writing.point).replace("\0", writing.thousands)


def price(amount: int | None) -> str:
    """With the currency, if the installation has one; prices are whole numbers of its smallest unit."""
    if amount is None:
        return "\N{EN DASH}"
    thousands, point, decimals, currency = _writing()
    whole, rest = divmod(amount, 10**decimals)
    text = f"{whole:,}".replace(",", thousands) + (f"{point}{rest:0{decimals}d}" if decimals else "")
    return f"{text}\u00a0{currency}" if currency else text


def typed_price(amount: int) -> str:
    """As a field of a form takes it."""
    decimals = current_app.config["PRICE_DECIMALS"]
    return str(Decimal(amount).scaleb(-decimals))


def without_thousands(text: str, *, decimals: int) -> str:
    """A number as its reader sees it on pages, without what separates its thousands."""
    if _writing().thousands == "." and decimals >= _DIGITS_OF_A_GROUP:
        # 1.234 could be either: fields are filled with a point before decimals in every language.
        return text
    thousands, point = map(re.escape, _writing()[:2])
    is_grouped = re.fullmatch(f"[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+(?:{point}[0-9]+)?", text)
    return re.sub(thousands, "", text) if is_grouped else text


def percent(value: float) -> str:
    """With one decimal below ten, and without a sign."""
    value = abs(value)
    return f"{number(value, 1 if 0 < value < 9.95 else 0)}\u00a0%"  # noqa: PLR2004


def duration(seconds: float) -> str:
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        # Finer below two of it: of two prices of one minute each, one may be old.
        if seconds >= 2 * length:
            return f"{int(seconds // length)}\u00a0{unit}"
    return f"{max(0, int(seconds))}\u00a0s"


def exact_duration(seconds: float) -> str:
    """In the longest unit of which it is a whole number: 90 s, 15 min."""
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= length and seconds % length == 0:
            return f"{int(seconds // length)}\u00a0{unit}"
    return f"{seconds:g}\u00a0s"


def ago(time: datetime) -> Markup:
    """The age of a time; the script keeps it going, and the exact time is in the title."""
    text = f"{duration((utc_now() - time).total_seconds())} ago"
    return _time(time, text, "ago")


def moment(time: datetime) -> Markup:
    """A time; the script shows it in the reader's zone."""
    return _time(time, None, "local")


def instant(seconds: float) -> Markup:
    """The same of seconds since 1970."""
    return moment(datetime.fromtimestamp(seconds, UTC))


def _time(time: datetime, text: str | None, kind: str) -> Markup:
    """Without a text it is the time to the minute. `strftime` takes thrice as long, and a table has many."""
    utc = time.astimezone(UTC).isoformat(" ", "seconds")
    day, clock = utc[:10], utc[11:19]
    text = text or f"{day} {clock[:5]} UTC"
    attributes = f'datetime="{day}T{clock}Z" title="{day} {clock} UTC" data-{kind}'
    # Numbers and words of ours: nothing has to be escaped.
    return Markup(f"<time {attributes}>{text}</time>")  # noqa: S704


def _writing() -> Writing:
    """Found out once a request: a page has thousands of prices."""
    found: Writing | None = g.get("writing")
    if found is None:
        language = request.accept_languages.best or "en"
        separators = _SEPARATORS.get(language.partition("-")[0].lower(), _ENGLISH)
        config = current_app.config
        found = g.writing = Writing(*separators, config["PRICE_DECIMALS"], config["CURRENCY"])
    return found
