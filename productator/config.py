"""The settings of all programs: read from an INI file, then from the environment, into one frozen object."""

import configparser
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sqlalchemy import URL

from productator.domain import Rate, Retention
from productator.errors import ConfigError
from productator.options import OPTIONS, Option


@dataclass(frozen=True)
class Settings:
    """What the programs are told from outside. Secrets stay out of `repr`."""

    database_url: str = field(repr=False)
    offers_address: str
    offers_token: str | None = field(repr=False)
    offers_refresh_token: str | None = field(repr=False)
    offers_timeout_s: float
    refresher_period_s: float
    refresher_concurrency: int
    refresher_metrics_port: int
    retention: Retention
    port: int
    listen_host: str
    currency: str | None
    require_if_match: bool
    auth: str
    admin_token: str | None = field(repr=False)
    jwt_issuer: str | None
    jwt_audience: str | None
    jwt_jwks_url: str | None
    cors_origins: frozenset[str]
    rate_limit: Rate | None
    trusted_proxies: int
    secret_key: str = field(repr=False)
    log_format: str

    @classmethod
    def load(cls, path: str, env: Mapping[str, str]) -> "Settings":
        """Reads the file at `path` and lets `env` override it; raises ConfigError with one sentence."""
        values = _read(Path(path), env)
        if values["token"] and values["refresh_token"]:
            raise ConfigError(
                "OFFERS_MS_TOKEN and OFFERS_MS_REFRESH_TOKEN exclude each other: give the one issued to you."
            )
        _refuse_half_a_provider(values)
        _refuse_shorter_than_before(values)
        database_url = _database_url(values, Path(path).resolve().parent)
        return cls(
            database_url=database_url,
            offers_address=values["address"],
            offers_token=values["token"],
            offers_refresh_token=values["refresh_token"],
            offers_timeout_s=values["timeout"],
            refresher_period_s=values["period"],
            refresher_concurrency=values["concurrency"],
            refresher_metrics_port=values["metrics_port"],
            retention=Retention(
                values["changes_days"],
                values["raw_points_days"],
                values["hourly_points_days"],
                values["daily_points_days"],
            ),
            port=values["port"],
            listen_host=values["listen_host"],
            currency=values["currency"],
            require_if_match=values["require_if_match"],
            auth=values["auth"],
            admin_token=values["admin_token"],
            jwt_issuer=values["jwt_issuer"],
            jwt_audience=values["jwt_audience"],
            jwt_jwks_url=values["jwt_jwks_url"],
            cors_origins=values["cors_origins"] or frozenset(),
            rate_limit=values["rate_limit"],
            trusted_proxies=values["trusted_proxies"],
            secret_key=values["secret_key"] or _derived_key(database_url),
            log_format=values["log_format"],
        )


def _read(path: Path, env: Mapping[str, str]) -> dict:  # type: ignore[type-arg]  # values are typed by their parser
    file = _parsed_file(path)
    _refuse_unknown(file, path)
    return {option.name: _value(option, file, path, env) for option in OPTIONS}


def _parsed_file(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as exc:
        raise ConfigError(f"{path}: the config file cannot be read: {exc.strerror}.") from exc
    except (configparser.Error, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: not a config file: {_complaint(exc)}.") from exc
    return parser


def _complaint(error: configparser.Error | UnicodeDecodeError) -> str:
    """What is wrong where; a line that could not be read is not shown, since it may hold a secret."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} stands in no section"
    if isinstance(error, configparser.ParsingError):
        return f"line {error.errors[0][0]} is no 'key = value'"
    return " ".join(str(error).split())


def _refuse_unknown(file: configparser.ConfigParser, path: Path) -> None:
    known = {(option.section, option.key) for option in OPTIONS}
    for section in file.sections():
        if section not in {option.section for option in OPTIONS}:
            raise ConfigError(f"{path}: there is no section [{section}].")
        for key in file[section]:
            if (section, key) not in known:
                raise ConfigError(f"{path}: [{section}] has no key '{key}'.")


def _value(option: Option, file: configparser.ConfigParser, path: Path, env: Mapping[str, str]) -> object:
    source, text = _from_environment(option, env)
    if not text:
        source = f"{path}: [{option.section}] {option.key}"
        text = file.get(option.section, option.key, fallback="")
    if not text:
        if option.required:
            raise ConfigError(f"{source} is missing.")
        return None
    try:
        return option.parse(text)
    except ValueError as exc:
        shown = "the given value" if option.secret else repr(text)
        raise ConfigError(f"{source} must be {exc}, not {shown}.") from exc


def _from_environment(option: Option, env: Mapping[str, str]) -> tuple[str, str]:
    """The source's name and the text; an empty variable counts as not set."""
    text = env.get(option.variable, "")
    file_variable = option.variable + "_FILE"
    file_name = env.get(file_variable, "") if option.secret else ""
    if not file_name:
        return option.variable, text
    if text:
        raise ConfigError(f"{option.variable} and {file_variable} exclude each other.")
    try:
        secret = Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{file_variable}: {file_name} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file_variable}: {file_name} is not text in UTF-8.") from exc
    if not secret:
        raise ConfigError(f"{file_variable}: {file_name} is empty.")
    return file_variable, secret


def _refuse_half_a_provider(values: Mapping[str, object]) -> None:
    given = [bool(values[name]) for name in ("jwt_issuer", "jwt_audience", "jwt_jwks_url")]
    if any(given) and not all(given):
        raise ConfigError(
            "PRODUCTATOR_JWT_ISSUER, PRODUCTATOR_JWT_AUDIENCE and PRODUCTATOR_JWT_JWKS_URL belong together:"
            " give all or none."
        )


def _refuse_shorter_than_before(values: Mapping[str, object]) -> None:
    """Points become coarser as they grow older, so none may be kept for less long than the finer ones."""
    names = ("raw_points_days", "hourly_points_days", "daily_points_days")
    for finer, coarser in pairwise(names):
        days, later = (int(str(values[name])) or math.inf for name in (finer, coarser))
        if later < days:
            raise ConfigError(
                f"PRODUCTATOR_{coarser.upper()} must not be less than PRODUCTATOR_{finer.upper()};"
                " 0 stands for ever."
            )


def _database_url(values: Mapping[str, object], folder: Path) -> str:
    """A given URL, else MySQL on the given host, else an SQLite file beside the config file."""
    if values["database_url"]:
        return str(values["database_url"])
    if values["database_host"]:
        return URL.create(
            "mysql+pymysql",
            username=str(values["database_user"]),
            password=str(values["database_password"] or ""),
            host=str(values["database_host"]),
            port=int(str(values["database_port"])),
            database=str(values["database_name"]),
        ).render_as_string(hide_password=False)
    return f"sqlite:///{folder / 'var' / 'productator.db'}"


def _derived_key(database_url: str) -> str:
    """A key that all processes on one database share without being told; the URL holds the password."""
    return hashlib.sha256(b"productator signing key:" + database_url.encode()).hexdigest()
