"""What the text of a setting is turned into; each parser raises ValueError with what the value must be."""

import math
import re
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from productator.domain import Network, Rate, networks_in


def text(value: str) -> str:
    return value


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(value)

    return parse


# At most a hundred years: the date that many days ago must not lie before the year 1.
days = whole(0, 36_500)
# 0: any free port.
port = whole(0, 65_535)


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    # libcurl counts in milliseconds, and 0 of them mean no limit; the refresher divides by its period.
    if not 0.1 <= number <= 86_400:  # noqa: PLR2004 - a day
        raise ValueError("a number of seconds from 0.1 to 86400")
    return number


def http_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # an unclosed bracket, or a port that is not a number
        usable = False
    # HTTP clients send nothing else.
    if not usable or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("an http or https address in ASCII without spaces")
    return value.rstrip("/")


def service_address(value: str) -> str:
    """The paths of calls are written behind it."""
    if not {"?", "#"}.isdisjoint(http_address(value)):
        raise ValueError("an http or https address without query (?) and fragment (#)")
    return value.rstrip("/")


def certificates(value: str) -> str:
    try:
        ssl.create_default_context(cafile=value)
    except OSError:  # as ssl.SSLError is
        raise ValueError("a file with certificates of authorities in PEM") from None
    return value


def public_address(value: str) -> str:
    host = r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]"
    path = r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?"
    try:
        usable = re.fullmatch(rf"https?://({host})(:[0-9]+)?{path}", http_address(value))
    except ValueError:
        usable = None
    if not usable:
        raise ValueError("an http or https address without user and query, such as https://shop.example")
    return value.rstrip("/")


def keys_address(value: str) -> str:
    host = urlsplit(http_address(value)).hostname or ""
    is_loopback = host in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]+){3}", host)
    if not value.startswith("https://") and not is_loopback:
        # Over http, anybody on the way could insert a key of their own.
        raise ValueError("an https address (http is for loopback only)")
    return value


def database_address(value: str) -> str:
    try:
        usable = make_url(value).drivername in {"sqlite", "mysql+pymysql", "mariadb+pymysql"}
    except (ArgumentError, ValueError):
        usable = False
    if not usable:
        raise ValueError(
            "a database address that begins with mysql+pymysql://, mariadb+pymysql:// or sqlite:///"
        )
    return value


def header_name(value: str) -> str:
    # Neither a standard one that means something else, nor one that a proxy takes for a variable.
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", value) or value.lower() in {"authorization", "cookie", "host"}:
        raise ValueError("the name of a header, such as X-Forwarded-Access-Token")
    return value


def token(value: str) -> str:
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("printable ASCII without spaces")
    return value


def long_token(value: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", value):
        raise ValueError("at least 16 printable ASCII characters without spaces")
    return value


def mail_address(value: str) -> str:
    if not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", value):
        raise ValueError("a mail address such as alerts@shop.example")
    return value


def currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("an ISO 4217 code such as EUR")
    return value


def yes_or_no(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise ValueError("'yes' or 'no'")
    return value == "yes"


def on_or_off(value: str) -> bool:
    if value not in {"on", "off"}:
        raise ValueError("'on' or 'off'")
    return value == "on"


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            *others, last = (f"'{choice}'" for choice in choices)
            raise ValueError(f"{', '.join(others)} or {last}")
        return value

    return parse


def origins(value: str) -> frozenset[str]:
    """Origins exactly as browsers send them: in lower case, without the default port."""
    given = frozenset(value.split())
    for origin in given:
        found = re.fullmatch(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?", origin)
        if given != {"*"} and (not found or (found[1], found[2]) in {("http", "80"), ("https", "443")}):
            raise ValueError("origins such as https://shop.example, with spaces between them, or *")
    return given


def networks(value: str) -> frozenset[Network]:
    try:
        return networks_in(value)
    except ValueError:
        raise ValueError("networks such as 10.1.0.0/16 fd00::/8, with spaces between them") from None


def rate(value: str) -> Rate:
    quota, _, window = value.partition("/")
    try:
        return Rate(whole(1, 1_000_000)(quota), whole(1, 86_400)(window))
    except ValueError:
        raise ValueError("requests/seconds, such as 100/60") from None
