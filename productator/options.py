"""What can be set: each option's place in the file, its variable, and what values it takes."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from productator.domain import Rate

# Raises ValueError with what the value has to be.
Parser = Callable[[str], object]


def _text(value: str) -> str:
    return value


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(value)

    return parse


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    # libcurl counts in milliseconds, and 0 of them are no limit; a period is divided by, in microseconds.
    if not 0.1 <= seconds <= 86_400:  # noqa: PLR2004 - a day
        raise ValueError("a number of seconds from 0.1 to 86400")
    return seconds


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a bracket without its pair, or a port that is no number
        usable = False
    # Whoever calls it could not send anything else.
    if not usable or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("an http or https address in ASCII without spaces")
    return value.rstrip("/")


def _keys_address(value: str) -> str:
    host = urlsplit(_address(value)).hostname or ""
    is_loopback = host in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]+){3}", host)
    if not value.startswith("https://") and not is_loopback:
        # Whoever stands in between could put in a key of their own.
        raise ValueError("an https address (http is for loopback only)")
    return value


def _database_address(value: str) -> str:
    try:
        usable = make_url(value).drivername in {"sqlite", "mysql+pymysql", "mariadb+pymysql"}
    except (ArgumentError, ValueError):
        usable = False
    if not usable:
        raise ValueError(
            "a database address that begins with mysql+pymysql://, mariadb+pymysql:// or sqlite:///"
        )
    return value


def _token(value: str) -> str:
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("printable ASCII without spaces")
    return value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("an ISO 4217 code such as EUR")
    return value


def _yes_or_no(value: str) -> bool:
    if value not in {"yes", "no"}:
        raise ValueError("'yes' or 'no'")
    return value == "yes"


def _origins(value: str) -> frozenset[str]:
    """Exactly as browsers send them: in small letters, and without a port that goes without saying."""
    origins = frozenset(value.split())
    for origin in origins:
        found = re.fullmatch(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?", origin)
        if origins != {"*"} and (not found or (found[1], found[2]) in {("http", "80"), ("https", "443")}):
            raise ValueError("origins such as https://shop.example, with spaces between them, or *")
    return origins


def _rate(value: str) -> Rate:
    quota, _, seconds = value.partition("/")
    try:
        return Rate(_whole(1, 1_000_000)(quota), _whole(1, 86_400)(seconds))
    except ValueError:
        raise ValueError("requests/seconds, such as 100/60") from None


def _one_of(*words: str) -> Parser:
    def parse(value: str) -> str:
        if value not in words:
            *others, last = (f"'{word}'" for word in words)
            raise ValueError(f"{', '.join(others)} or {last}")
        return value

    return parse


def _long_token(value: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", value):
        raise ValueError("at least 16 printable ASCII characters without spaces")
    return value


@dataclass(frozen=True)
class Option:
    section: str
    key: str
    variable: str
    parse: Parser
    required: bool = True
    secret: bool = False

    @property
    def name(self) -> str:
        return "database_" + self.key if self.section == "database" else self.key


# A hundred years: dates before the year 1 cannot be told.
_DAYS = _whole(0, 36_500)

OPTIONS = (
    Option("database", "url", "DATABASE_URL", _database_address, required=False, secret=True),
    Option("database", "host", "DATABASE_HOST", _text, required=False),
    Option("database", "port", "DATABASE_PORT", _whole(1, 65535)),
    Option("database", "user", "DATABASE_USER", _text),
    Option("database", "password", "DATABASE_PASSWORD", _text, required=False, secret=True),
    Option("database", "name", "DATABASE_NAME", _text),
    Option("offers_service", "address", "OFFERS_MS_ADDRESS", _address),
    Option("offers_service", "token", "OFFERS_MS_TOKEN", _token, required=False, secret=True),
    Option("offers_service", "refresh_token", "OFFERS_MS_REFRESH_TOKEN", _token, required=False, secret=True),
    Option("offers_service", "timeout", "OFFERS_MS_TIMEOUT", _seconds),
    Option("refresher", "period", "REFRESHER_PERIOD", _seconds),
    Option("refresher", "concurrency", "REFRESHER_CONCURRENCY", _whole(1, 2_000)),
    Option("refresher", "metrics_port", "REFRESHER_METRICS_PORT", _whole(0, 65535)),
    Option("history", "changes_days", "PRODUCTATOR_CHANGES_DAYS", _DAYS),
    Option("history", "raw_points_days", "PRODUCTATOR_RAW_POINTS_DAYS", _DAYS),
    Option("history", "hourly_points_days", "PRODUCTATOR_HOURLY_POINTS_DAYS", _DAYS),
    Option("history", "daily_points_days", "PRODUCTATOR_DAILY_POINTS_DAYS", _DAYS),
    Option("api", "port", "PORT", _whole(0, 65535)),
    Option("api", "currency", "PRODUCTATOR_CURRENCY", _currency, required=False),
    Option("api", "require_if_match", "PRODUCTATOR_REQUIRE_IF_MATCH", _yes_or_no),
    Option("api", "auth", "PRODUCTATOR_AUTH", _one_of("off", "write", "all")),
    Option("api", "admin_token", "PRODUCTATOR_ADMIN_TOKEN", _long_token, required=False, secret=True),
    Option("api", "jwt_issuer", "PRODUCTATOR_JWT_ISSUER", _text, required=False),
    Option("api", "jwt_audience", "PRODUCTATOR_JWT_AUDIENCE", _text, required=False),
    Option("api", "jwt_jwks_url", "PRODUCTATOR_JWT_JWKS_URL", _keys_address, required=False),
    Option("api", "cors_origins", "PRODUCTATOR_CORS_ORIGINS", _origins, required=False),
    Option("api", "rate_limit", "PRODUCTATOR_RATE_LIMIT", _rate, required=False),
    Option("api", "trusted_proxies", "PRODUCTATOR_TRUSTED_PROXIES", _whole(0, 10)),
    Option("api", "secret_key", "PRODUCTATOR_SECRET_KEY", _text, required=False, secret=True),
    Option("programs", "listen_host", "LISTEN_HOST", _text),
    Option("programs", "log_format", "LOG_FORMAT", _one_of("text", "json")),
)
