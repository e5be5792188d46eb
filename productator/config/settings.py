"""All settings, each declared once. To add one, declare it here and run `make settings`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from sqlalchemy import URL, make_url

from productator.config import parsers
from productator.config.declaration import declared_in, setting
from productator.config.loading import read_values
from productator.domain import Network, Rate, Retention
from productator.errors import ConfigError

_DEFAULT_FILE = "config.cfg"


@dataclass(frozen=True)
class Settings:
    """What can be set from outside, for all programs; `repr` shows no secret."""

    database_url: str = setting(
        "database.url",
        "DATABASE_URL",
        parsers.database_address,
        "A complete SQLAlchemy address of the database. It overrides the other settings of this section.",
        empty="",
        secret=True,
    )
    database_host: str | None = setting(
        "database.host",
        "DATABASE_HOST",
        parsers.text,
        "Host of the MySQL or MariaDB server. Empty: SQLite, in the file `var/productator.db` beside the"
        " config file (without one, in the working directory).",
        empty=None,
    )
    database_port: int = setting(
        "database.port",
        "DATABASE_PORT",
        parsers.whole(1, 65_535),
        "Port of the database server.",
        default="3306",
    )
    database_user: str = setting(
        "database.user", "DATABASE_USER", parsers.text, "User at the database server.", default="productator"
    )
    database_password: str = setting(
        "database.password",
        "DATABASE_PASSWORD",
        parsers.text,
        "Password at the database server. The default is for development: set your own wherever it matters."
        " `docker-compose` makes a random one.",
        default="productator",
        empty="",
        secret=True,
    )
    database_name: str = setting(
        "database.name",
        "DATABASE_NAME",
        parsers.text,
        "Name of the database on the server.",
        default="productator",
    )
    database_replica_url: str | None = setting(
        "database.replica_url",
        "DATABASE_REPLICA_URL",
        parsers.database_address,
        "A complete SQLAlchemy address of a replica of the MySQL or MariaDB database. It answers reads of the"
        " API while it is close behind the primary, except those of callers who wrote a moment ago. Set it"
        " for all APIs alike. Empty: the primary answers all.",
        empty=None,
        secret=True,
    )
    database_replica_lag_s: int = setting(
        "database.replica_lag",
        "DATABASE_REPLICA_LAG_S",
        parsers.whole(1, 300),
        "How many seconds a replica that answers reads may be behind, at the most.",
        default="5",
    )
    offers_address: str = setting(
        "offers_service.address",
        "OFFERS_MS_ADDRESS",
        parsers.service_address,
        "Base address of the Offers service. Write letters outside ASCII as they are sent: `xn--...`,"
        " `%C3%AD`. It may name a user and password: `https://user:password@host/api/v1`. The default is the"
        " simulator's address.",
        default="http://127.0.0.1:6607/api/v1",
        may_hold_password=True,
    )
    offers_token: str | None = setting(
        "offers_service.token",
        "OFFERS_MS_TOKEN",
        parsers.token,
        "An access token of generation 1, which is never renewed. Empty, without a refresh token: the"
        " refresher requests one, and another each time the service rejects it.",
        empty=None,
        secret=True,
    )
    offers_refresh_token: str | None = setting(
        "offers_service.refresh_token",
        "OFFERS_MS_REFRESH_TOKEN",
        parsers.token,
        "A refresh token of generation 2. The refresher then speaks generation 2.",
        empty=None,
        secret=True,
    )
    offers_timeout_s: float = setting(
        "offers_service.timeout",
        "OFFERS_MS_TIMEOUT",
        parsers.seconds,
        "Seconds that one call may take as a whole, at least 0.1.",
        default="10",
    )
    ca_file: str | None = setting(
        "offers_service.ca_file",
        "OFFERS_MS_CA_FILE",
        parsers.certificates,
        "File with the authorities (PEM) that every outgoing call trusts, to the Offers service and to the"
        " identity provider alike, instead of the public ones. Empty: the public ones. All outgoing calls"
        " use the proxies of the environment: `HTTPS_PROXY`, `http_proxy` (in small letters only),"
        " `ALL_PROXY`, `NO_PROXY`.",
        empty=None,
    )
    max_offers: int = setting(
        "offers_service.max_offers",
        "PRODUCTATOR_MAX_OFFERS",
        parsers.whole(1, 20_000),
        "Most offers that one product may have at the Offers service. A longer list is refused, and its"
        " product says so in `last_error`.",
        default="5000",
    )
    refresher_period_s: float = setting(
        "refresher.period",
        "REFRESHER_PERIOD",
        parsers.seconds,
        "Seconds between two refreshes of a product, at least 0.1. The API needs the same value: by it offers"
        " count as stale.",
        default="30",
    )
    refresher_concurrency: int = setting(
        "refresher.concurrency",
        "REFRESHER_CONCURRENCY",
        parsers.whole(1, 2_000),
        "Most calls to the Offers service at the same time. The refresher makes fewer while the service is"
        " slow or refuses calls.",
        default="512",
    )
    refresher_metrics_port: int = setting(
        "refresher.metrics_port",
        "REFRESHER_METRICS_PORT",
        parsers.port,
        "Port of the refresher's probes and metrics. 0: none.",
        default="6608",
    )
    notifier_metrics_port: int = setting(
        "notifier.metrics_port",
        "NOTIFIER_METRICS_PORT",
        parsers.port,
        "Port of the notifier's probes and metrics. 0: none.",
        default="6609",
    )
    alert_networks: frozenset[Network] = setting(
        "notifier.alert_networks",
        "PRODUCTATOR_ALERT_NETWORKS",
        parsers.networks,
        "Networks that alerts may be sent to although they are not public, such as `10.1.0.0/16 fd00::/8`,"
        " with spaces between them. The API and the notifier need the same value. Empty: public addresses"
        " only.",
        empty=frozenset(),
    )
    smtp_host: str | None = setting(
        "notifier.smtp_host",
        "SMTP_HOST",
        parsers.text,
        "Host of the mail server that alerts by mail go through. `PRODUCTATOR_ALERT_NETWORKS` must allow its"
        " address if that is not public. Empty: alerts by mail fail.",
        empty=None,
    )
    smtp_port: int = setting(
        "notifier.smtp_port",
        "SMTP_PORT",
        parsers.whole(1, 65_535),
        "Port of the mail server, which must offer STARTTLS.",
        default="587",
    )
    smtp_starttls: bool = setting(
        "notifier.smtp_starttls",
        "SMTP_STARTTLS",
        parsers.on_or_off,
        "`off` sends mails unencrypted, and never a password: for a mail server on the same machine.",
        default="on",
    )
    smtp_ca_file: str | None = setting(
        "notifier.smtp_ca_file",
        "SMTP_CA_FILE",
        parsers.certificates,
        "File with the authorities (PEM) that the mail server's certificate is checked by, instead of the"
        " public ones. Empty: the public ones.",
        empty=None,
    )
    smtp_user: str | None = setting(
        "notifier.smtp_user",
        "SMTP_USER",
        parsers.text,
        "User at the mail server. Empty: no login.",
        empty=None,
    )
    smtp_password: str | None = setting(
        "notifier.smtp_password",
        "SMTP_PASSWORD",
        parsers.text,
        "Password at the mail server. It is only sent encrypted.",
        empty=None,
        secret=True,
    )
    smtp_from: str = setting(
        "notifier.smtp_from",
        "SMTP_FROM",
        parsers.mail_address,
        "Address that alerts by mail come from.",
        default="productator@localhost",
    )
    changes_days: int = setting(
        "history.changes_days",
        "PRODUCTATOR_CHANGES_DAYS",
        parsers.days,
        "Days for which changes of offers are kept. The last change of each offer before that time stays,"
        " too. 0, here and below: for ever.",
        default="365",
    )
    raw_points_days: int = setting(
        "history.raw_points_days",
        "PRODUCTATOR_RAW_POINTS_DAYS",
        parsers.days,
        "Days for which every price is kept with its exact time. After that, an hour with many changes"
        " becomes one point. More days make figures of prices slower: a price that changes every minute makes"
        " 1,440 points a day.",
        default="14",
    )
    hourly_points_days: int = setting(
        "history.hourly_points_days",
        "PRODUCTATOR_HOURLY_POINTS_DAYS",
        parsers.days,
        "Days for which prices are kept by the hour; at least `PRODUCTATOR_RAW_POINTS_DAYS`. After that, a"
        " day with many points becomes one point.",
        default="730",
    )
    daily_points_days: int = setting(
        "history.daily_points_days",
        "PRODUCTATOR_DAILY_POINTS_DAYS",
        parsers.days,
        "Days for which prices are kept at all; at least `PRODUCTATOR_HOURLY_POINTS_DAYS`.",
        default="0",
    )
    port: int = setting("api.port", "PORT", parsers.port, "Port of the API.", default="6606")
    processes: int | None = setting(
        "api.processes",
        "PRODUCTATOR_PROCESSES",
        parsers.whole(1, 64),
        "Processes of uWSGI that answer requests. Empty: one for each core of the machine; then each keeps to"
        " one core. Give the number in a container that may use fewer cores: uWSGI does not see the"
        " container's limit.",
        empty=None,
    )
    currency: str | None = setting(
        "api.currency",
        "PRODUCTATOR_CURRENCY",
        parsers.currency,
        "ISO 4217 code of all prices, such as CZK. Empty: the API names no currency.",
        empty=None,
    )
    price_decimals: int = setting(
        "api.price_decimals",
        "PRODUCTATOR_PRICE_DECIMALS",
        parsers.whole(0, 6),
        "How many of a price's digits are decimals on the pages and in messages of alerts to people: 2 where"
        " prices are whole cents. The API and webhooks have whole numbers all the same. The API and the"
        " notifier need the same value.",
        default="0",
    )
    pages: bool = setting(
        "api.pages",
        "PRODUCTATOR_PAGES",
        parsers.on_or_off,
        "`off` turns the pages for people off: there is the API alone.",
        default="on",
    )
    require_if_match: bool = setting(
        "api.require_if_match",
        "PRODUCTATOR_REQUIRE_IF_MATCH",
        parsers.yes_or_no,
        "`yes` refuses changes without an `If-Match` header (428), so that nobody overwrites what they have"
        " not seen.",
        default="no",
    )
    auth: str = setting(
        "api.auth",
        "PRODUCTATOR_AUTH",
        parsers.one_of("off", "write", "all"),
        "What needs a token: `write` (every change), `all` (reading, too) or `off` (nothing).",
        default="write",
    )
    admin_token: str | None = setting(
        "api.admin_token",
        "PRODUCTATOR_ADMIN_TOKEN",
        parsers.long_token,
        "A token that may do everything, of at least 16 characters. Empty: the first start makes one and"
        " prints it once.",
        empty=None,
        secret=True,
    )
    jwt_issuer: str | None = setting(
        "api.jwt_issuer",
        "PRODUCTATOR_JWT_ISSUER",
        parsers.text,
        "An identity provider whose JSON Web Tokens the API accepts, too: the `iss` of its tokens. Set all"
        " three settings of the provider, or none. Empty: no provider.",
        empty=None,
    )
    jwt_audience: str | None = setting(
        "api.jwt_audience",
        "PRODUCTATOR_JWT_AUDIENCE",
        parsers.text,
        "Name of this API at the identity provider: the `aud` of the tokens made for it.",
        empty=None,
    )
    jwt_jwks_url: str | None = setting(
        "api.jwt_jwks_url",
        "PRODUCTATOR_JWT_JWKS_URL",
        parsers.keys_address,
        "Address of the identity provider's keys: https, or http on loopback.",
        empty=None,
        may_hold_password=True,
    )
    jwt_header: str | None = setting(
        "api.jwt_header",
        "PRODUCTATOR_JWT_HEADER",
        parsers.header_name,
        "Header in which a trusted proxy sends the identity provider's JSON Web Token of the viewer of a"
        " page, such as `X-Forwarded-Access-Token`: they need not sign in. The proxy must replace what"
        " browsers send in it. Empty: none.",
        empty=None,
    )
    cors_origins: frozenset[str] = setting(
        "api.cors_origins",
        "PRODUCTATOR_CORS_ORIGINS",
        parsers.origins,
        "Origins of the web pages that may call the API from a browser, with spaces between them:"
        " `https://shop.example http://127.0.0.1:3000`. `*`: all pages. Empty: none.",
        empty=frozenset(),
    )
    rate_limit: Rate | None = setting(
        "api.rate_limit",
        "PRODUCTATOR_RATE_LIMIT",
        parsers.rate,
        "Requests/seconds of one caller, such as `100/60`. The API knows a caller by its token, else by its"
        " address. Empty: no limit.",
        empty=None,
    )
    request_budget_s: int = setting(
        "api.request_budget",
        "PRODUCTATOR_REQUEST_BUDGET_S",
        parsers.whole(1, 30),
        "Seconds that one request may use the database or wait for it, all tries together. After that"
        " the answer is 503.",
        default="8",
    )
    cache_s: int = setting(
        "api.cache",
        "PRODUCTATOR_CACHE_S",
        parsers.whole(0, 3600),
        "Seconds that caches, such as a proxy's, may keep answers to reads without a token or cookie. With"
        " 0 they ask each time. With `auth` `all`, they keep nothing.",
        default="0",
    )
    slow_statement_ms: int = setting(
        "api.slow_statement",
        "PRODUCTATOR_SLOW_STATEMENT_MS",
        parsers.whole(0, 600_000),
        "A statement of the API that takes longer, in milliseconds, gets a line in the log. 0: none.",
        default="500",
    )
    drain_s: int = setting(
        "api.drain",
        "PRODUCTATOR_DRAIN_S",
        parsers.whole(0, 60),
        "Seconds for which `productator serve` goes on after SIGTERM, with a red `/readyz`, so that load"
        " balancers leave it; then it ends without losing a connection. Linux only. 0: it ends at once, and"
        " connections that wait for a worker are reset.",
        default="0",
    )
    trusted_proxies: int = setting(
        "api.trusted_proxies",
        "PRODUCTATOR_TRUSTED_PROXIES",
        parsers.whole(0, 10),
        "Number of proxies in front of the API, each of which adds `X-Forwarded-For` and may add"
        " `X-Forwarded-Proto` (the scheme), `X-Forwarded-Prefix` (the path before the API's) and"
        " `X-Request-Start` (when it got the request). The API believes nobody else. They must drop header"
        " names with underscores. 1 behind the shipped proxy.",
        default="0",
    )
    public_url: str | None = setting(
        "api.public_url",
        "PRODUCTATOR_PUBLIC_URL",
        parsers.public_address,
        "Address at which clients reach the API, with the path that a proxy puts before the API's:"
        " `https://shop.example/productator`. Addresses in answers and links in alerts begin with it. Empty:"
        " answers take the scheme and `Host` of the request, and alerts have no links.",
        empty=None,
    )
    secret_key: str | None = setting(
        "api.secret_key",
        "PRODUCTATOR_SECRET_KEY",
        parsers.text,
        "Signs page cursors, and encrypts the secrets of channels in the database; the notifier needs the"
        " same value. Empty: cursors are signed with a random key, which is made once and kept in the"
        " database, and secrets are stored as they are.",
        empty=None,
        secret=True,
    )
    previous_secret_key: str | None = setting(
        "api.previous_secret_key",
        "PRODUCTATOR_PREVIOUS_SECRET_KEY",
        parsers.text,
        "The `PRODUCTATOR_SECRET_KEY` before a rotation, in the API and the notifier: it still decrypts"
        " secrets of channels. Drop it after `productator alerts channels encrypt`.",
        empty=None,
        secret=True,
    )
    listen_host: str = setting(
        "programs.listen_host",
        "LISTEN_HOST",
        parsers.text,
        "Address that all programs listen on. The images set it to 0.0.0.0.",
        default="127.0.0.1",
    )
    log_format: str = setting(
        "programs.log_format",
        "LOG_FORMAT",
        parsers.one_of("text", "json"),
        "`text` for people, `json` for machines.",
        default="text",
    )
    traces_address: str | None = setting(
        "programs.traces_address",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        parsers.http_address,
        "Where API and refresher send their traces by OpenTelemetry's protocol over HTTP, such as"
        " `http://127.0.0.1:4318`; needs `productator[otel]`. Empty: no traces.",
        empty=None,
    )

    @property
    def retention(self) -> Retention:
        return Retention(
            self.changes_days, self.raw_points_days, self.hourly_points_days, self.daily_points_days
        )

    @classmethod
    def load(cls, path: str | None, env: Mapping[str, str]) -> "Settings":
        """Reads the file at `path` and lets `env` override it; raises ConfigError with one sentence.

        Without a path it reads config.cfg of the working directory; if there is none, the defaults apply.
        """
        file = Path(path or _DEFAULT_FILE)
        # A link that leads nowhere is a mistake to report, not a missing file.
        is_read = bool(path) or file.exists() or file.is_symlink()
        settings = cls(**read_values(SETTINGS, file if is_read else None, env))
        _refuse_two_tokens(settings)
        _refuse_half_a_provider(settings)
        _refuse_header_of_nobody(settings)
        _refuse_coarse_points_that_end_first(settings)
        database_url = settings.database_url or _database_url(settings, file.resolve().parent)
        _refuse_replica_of_a_file(settings, database_url)
        return replace(settings, database_url=database_url)


# Each by the name of its field.
SETTINGS = declared_in(Settings)


def _refuse_two_tokens(settings: Settings) -> None:
    if settings.offers_token and settings.offers_refresh_token:
        raise ConfigError(
            "OFFERS_MS_TOKEN and OFFERS_MS_REFRESH_TOKEN exclude each other: set the one issued to you."
        )


def _refuse_half_a_provider(settings: Settings) -> None:
    given = {bool(each) for each in (settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks_url)}
    if given == {True, False}:
        raise ConfigError(
            "PRODUCTATOR_JWT_ISSUER, PRODUCTATOR_JWT_AUDIENCE and PRODUCTATOR_JWT_JWKS_URL belong together:"
            " set all or none."
        )


def _refuse_header_of_nobody(settings: Settings) -> None:
    if settings.jwt_header and not (settings.jwt_issuer and settings.trusted_proxies):
        raise ConfigError(
            "PRODUCTATOR_JWT_HEADER needs an identity provider (PRODUCTATOR_JWT_ISSUER) and a trusted proxy"
            " (PRODUCTATOR_TRUSTED_PROXIES)."
        )


def _refuse_replica_of_a_file(settings: Settings, database_url: str) -> None:
    replica_url = settings.database_replica_url
    if replica_url and "sqlite" in {
        make_url(each).get_backend_name() for each in (replica_url, database_url)
    }:
        raise ConfigError("DATABASE_REPLICA_URL needs servers: SQLite has no replicas.")


def _refuse_coarse_points_that_end_first(settings: Settings) -> None:
    """Points become coarser with age, so coarse ones must be kept at least as long as finer ones."""
    for finer, coarser in pairwise(("raw_points_days", "hourly_points_days", "daily_points_days")):
        if (getattr(settings, coarser) or math.inf) < (getattr(settings, finer) or math.inf):
            raise ConfigError(
                f"{SETTINGS[coarser].variable} must not be less than {SETTINGS[finer].variable};"
                " 0 means for ever."
            )


def _database_url(settings: Settings, folder: Path) -> str:
    """MySQL on the given host, else an SQLite file in `folder`."""
    if not settings.database_host:
        return f"sqlite:///{folder / 'var' / 'productator.db'}"
    return URL.create(
        "mysql+pymysql",
        username=settings.database_user,
        password=settings.database_password,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    ).render_as_string(hide_password=False)
