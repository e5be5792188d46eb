"""Settings are read from a file, then from the environment; a wrong one is refused with one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from productator.config import Settings
from productator.config.settings import SETTINGS
from productator.domain import Rate
from productator.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "config.cfg"
VARIABLES = [setting.variable for setting in SETTINGS.values()]
SECRETS = [setting.variable for setting in SETTINGS.values() if setting.secret]
Load = Callable[..., Settings]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of the shipped config file, for a test to change."""
    copy = tmp_path / "config.cfg"
    copy.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    return copy


@pytest.fixture
def load(file: Path) -> Load:
    """Loads the copy with these variables as the whole environment."""
    return lambda **env: Settings.load(str(file), env)


def refusal(load: Load, **env: str) -> str:
    """The one sentence that stops the start."""
    with pytest.raises(ConfigError) as refused:
        load(**env)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_shipped_file_is_enough(load: Load, file: Path) -> None:
    settings = load()

    assert settings.database_url == f"sqlite:///{file.parent / 'var' / 'productator.db'}"
    assert settings.offers_address == "http://127.0.0.1:6607/api/v1"
    assert (settings.port, settings.refresher_metrics_port) == (6606, 6608)
    assert settings.refresher_period_s == 30
    assert (settings.auth, settings.admin_token) == ("write", None)
    assert (settings.offers_token, settings.offers_refresh_token, settings.currency) == (None, None, None)


def test_the_environment_overrides_the_file(load: Load) -> None:
    settings = load(
        OFFERS_MS_ADDRESS="https://offers.example/api/v1/", REFRESHER_PERIOD="2.5", PRODUCTATOR_CURRENCY="CZK"
    )

    assert settings.offers_address == "https://offers.example/api/v1"
    assert (settings.refresher_period_s, settings.currency) == (2.5, "CZK")


@pytest.mark.parametrize("seconds", ["0.1", "86400"])
def test_the_least_and_the_most_seconds_are_accepted(load: Load, seconds: str) -> None:
    settings = load(OFFERS_MS_TIMEOUT=seconds, REFRESHER_PERIOD=seconds)

    assert (settings.offers_timeout_s, settings.refresher_period_s) == (float(seconds),) * 2


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_counts_as_not_set(load: Load, variable: str) -> None:
    assert load(**{variable: ""}) == load()


def test_the_password_of_the_database_may_be_empty_in_the_file(load: Load, file: Path) -> None:
    edit(file, "password = productator", "password =")

    assert make_url(load(DATABASE_HOST="db").database_url).password == ""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a config file."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_without_a_file_the_defaults_are_those_of_the_shipped_file(elsewhere: Path) -> None:
    elsewhere.joinpath("named.cfg").write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")

    assert Settings.load(None, {}) == Settings.load("named.cfg", {})
    assert Settings.load(None, {}).database_url == f"sqlite:///{elsewhere / 'var' / 'productator.db'}"


def test_without_a_file_the_environment_overrides_the_defaults(elsewhere: Path) -> None:
    assert Settings.load(None, {"REFRESHER_PERIOD": "2.5"}).refresher_period_s == 2.5


@pytest.mark.parametrize("unnamed", [None, ""])
def test_a_file_that_is_not_named_is_found_in_the_working_directory(
    file: Path, monkeypatch: pytest.MonkeyPatch, unnamed: str | None
) -> None:
    edit(file, "period = 30", "period = 7")
    monkeypatch.chdir(file.parent)

    assert Settings.load(unnamed, {}).refresher_period_s == 7


def test_a_host_gives_the_address_of_a_server(load: Load) -> None:
    settings = load(DATABASE_HOST="db", DATABASE_PASSWORD="p@ss/w:rd", DATABASE_NAME="shop")

    url = make_url(settings.database_url)
    assert (url.drivername, url.host, url.port, url.database) == ("mysql+pymysql", "db", 3306, "shop")
    assert (url.username, url.password) == ("productator", "p@ss/w:rd")


def test_an_address_of_the_database_wins_over_its_parts(load: Load) -> None:
    assert load(DATABASE_URL="sqlite:///x.db", DATABASE_HOST="db").database_url == "sqlite:///x.db"


def test_a_rate_is_requests_in_seconds(load: Load) -> None:
    assert load(PRODUCTATOR_RATE_LIMIT="100/60").rate_limit == Rate(100, 60)
    assert load().rate_limit is None


@pytest.mark.parametrize(
    "origins",
    ["*", "https://shop.example", "http://127.0.0.1:3000 https://xn--kva-0ra.example", "http://[::1]:8080"],
)
def test_origins_are_accepted_as_browsers_send_them(load: Load, origins: str) -> None:
    assert load(PRODUCTATOR_CORS_ORIGINS=origins).cors_origins == set(origins.split())
    assert load().cors_origins == set()


def test_unknown_variables_are_ignored(load: Load) -> None:
    assert load(PATH="/bin", API_PORT="x", LC_ALL="C") == load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "66 06"),
        ("PORT", "6606.0"),
        ("PORT", "٦"),
        ("DATABASE_PORT", "0"),
        ("REFRESHER_PERIOD", "0"),
        ("REFRESHER_PERIOD", "0.09"),
        ("REFRESHER_PERIOD", "-30"),
        ("REFRESHER_PERIOD", "nan"),
        ("REFRESHER_PERIOD", "inf"),
        ("REFRESHER_PERIOD", "86401"),
        ("REFRESHER_PERIOD", "soon"),
        ("PRODUCTATOR_CHANGES_DAYS", "-1"),
        ("PRODUCTATOR_RAW_POINTS_DAYS", "36501"),
        ("OFFERS_MS_TIMEOUT", "0"),
        ("OFFERS_MS_TIMEOUT", "0.0009"),
        ("OFFERS_MS_TIMEOUT", "0.09"),
        ("REFRESHER_CONCURRENCY", "0"),
        ("REFRESHER_CONCURRENCY", "2001"),
        ("REFRESHER_CONCURRENCY", "1e3"),
        ("REFRESHER_METRICS_PORT", "70000"),
        ("PRODUCTATOR_CORS_ORIGINS", "shop.example"),
        ("PRODUCTATOR_CORS_ORIGINS", "https://shop.example/"),
        ("PRODUCTATOR_CORS_ORIGINS", "https://Shop.example"),
        ("PRODUCTATOR_CORS_ORIGINS", "https://shop.example:443"),
        ("PRODUCTATOR_CORS_ORIGINS", "http://shop.example:80"),
        ("PRODUCTATOR_CORS_ORIGINS", "https://*.shop.example"),
        ("PRODUCTATOR_CORS_ORIGINS", "https://shop.example, https://other.example"),
        ("PRODUCTATOR_CORS_ORIGINS", "* https://shop.example"),
        ("PRODUCTATOR_CORS_ORIGINS", "null"),
        ("PRODUCTATOR_RATE_LIMIT", "100"),
        ("PRODUCTATOR_RATE_LIMIT", "100/minute"),
        ("PRODUCTATOR_RATE_LIMIT", "0/60"),
        ("PRODUCTATOR_RATE_LIMIT", "100/0"),
        ("PRODUCTATOR_RATE_LIMIT", "100/86401"),
        ("PRODUCTATOR_RATE_LIMIT", "100/60/1"),
        ("PRODUCTATOR_RATE_LIMIT", "1.5/60"),
        ("PRODUCTATOR_TRUSTED_PROXIES", "-1"),
        ("PRODUCTATOR_TRUSTED_PROXIES", "11"),
        ("PRODUCTATOR_CURRENCY", "czk"),
        ("PRODUCTATOR_CURRENCY", "EURO"),
        ("PRODUCTATOR_CURRENCY", "€"),
        ("OFFERS_MS_ADDRESS", "offers.example"),
        ("OFFERS_MS_ADDRESS", "ftp://offers.example"),
        ("OFFERS_MS_ADDRESS", "http://"),
        ("OFFERS_MS_ADDRESS", "http://nabídky.example"),
        ("OFFERS_MS_ADDRESS", "http://offers.example/nabídky"),
        ("OFFERS_MS_ADDRESS", "http://offers.example/api v1"),
        ("OFFERS_MS_ADDRESS", "http://[::1"),
        ("OFFERS_MS_ADDRESS", "http://offers.example/api/v1?key=abc"),
        ("OFFERS_MS_ADDRESS", "http://offers.example/api/v1?"),
        ("OFFERS_MS_ADDRESS", "http://offers.example/api/v1#top"),
        ("OFFERS_MS_CA_FILE", "/nowhere/ca.pem"),
        ("OFFERS_MS_CA_FILE", __file__),
        ("PRODUCTATOR_MAX_OFFERS", "0"),
        ("PRODUCTATOR_MAX_OFFERS", "20001"),
        ("OFFERS_MS_ADDRESS", "http://offers.example:99999"),
        ("OFFERS_MS_ADDRESS", "http://offers.example:port"),
        ("OFFERS_MS_TOKEN", "two words"),
        ("OFFERS_MS_TOKEN", "čaj"),
        ("LOG_FORMAT", "xml"),
        ("PRODUCTATOR_JWT_JWKS_URL", "id.example/keys"),
        ("PRODUCTATOR_JWT_JWKS_URL", "http://id.example/keys"),
        ("PRODUCTATOR_JWT_JWKS_URL", "http://127.0.0.1.id.example/keys"),
        ("PRODUCTATOR_JWT_JWKS_URL", "http://localhost@id.example/keys"),
        ("PRODUCTATOR_AUTH", "on"),
        ("PRODUCTATOR_ADMIN_TOKEN", "fifteen-letters"),
        ("PRODUCTATOR_ADMIN_TOKEN", "sixteen letters and spaces"),
        ("DATABASE_URL", "productator.db"),
        ("DATABASE_URL", "postgresql://u:p@h/d"),
        ("DATABASE_URL", "mysql://u:p@h/d"),
        ("DATABASE_URL", "mysql+pymysql://u:p@h:port/d"),
    ],
)
def test_an_impossible_value_is_refused_by_name(load: Load, variable: str, value: str) -> None:
    assert variable in refusal(load, **{variable: value})


def test_an_impossible_value_in_the_file_is_refused_by_file_and_key(load: Load, file: Path) -> None:
    edit(file, "period = 30", "period = 0")

    assert f"{file}: [refresher] period must be" in refusal(load)


def test_an_impossible_address_in_the_file_is_refused_by_file_and_key(load: Load, file: Path) -> None:
    edit(file, "url =", "url = mysql://u:hidden@h/d")

    sentence = refusal(load)

    assert f"{file}: [database] url must be" in sentence
    assert "hidden" not in sentence


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("period = 30", "periode = 30", "[refresher] has no key 'periode'"),
        ("[refresher]", "[refreshers]", "no section [refreshers]"),
        ("[programs]", "[DEFAULT]\nx = 1\n[programs]", "no section [DEFAULT]"),
        ("period = 30", "", "[refresher] period is missing"),
        ("port = 6606", "port =", "[api] port is missing"),
        ("period = 30", "period = 30\nperiod = 40", "period"),
        ("[api]", "[refresher]", "refresher"),
        ("[database]", "", "not a config file"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_place(
    load: Load, file: Path, old: str, new: str, named: str
) -> None:
    edit(file, old, new)

    sentence = refusal(load)

    assert named in sentence
    assert str(file) in sentence


def test_a_named_file_that_is_missing_is_refused_by_name(load: Load, file: Path) -> None:
    file.unlink()

    assert str(file) in refusal(load)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00"])
def test_a_file_that_is_not_text_is_refused_by_name(load: Load, file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert str(file) in refusal(load)


def test_a_percent_sign_is_a_percent_sign(load: Load, file: Path) -> None:
    edit(file, "refresh_token =", "refresh_token = 100%(x)s%")

    assert load().offers_refresh_token == "100%(x)s%"


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_may_be_read_from_a_file(load: Load, tmp_path: Path, variable: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mysql+pymysql://hidden/x\n", encoding="utf-8")
    # A replica needs a server to replicate.
    server = {"DATABASE_HOST": "db"}

    from_file = load(**server, **{f"{variable}_FILE": str(secret)})

    assert from_file == load(**server, **{variable: "mysql+pymysql://hidden/x"})


def test_a_secret_and_its_file_exclude_each_other(load: Load, tmp_path: Path) -> None:
    sentence = refusal(load, OFFERS_MS_TOKEN="hidden", OFFERS_MS_TOKEN_FILE=str(tmp_path / "token"))

    assert "OFFERS_MS_TOKEN and OFFERS_MS_TOKEN_FILE" in sentence


def test_a_secrets_file_that_is_missing_is_refused_by_name(load: Load, tmp_path: Path) -> None:
    sentence = refusal(load, OFFERS_MS_TOKEN_FILE=str(tmp_path / "token"))

    assert "OFFERS_MS_TOKEN_FILE" in sentence
    assert str(tmp_path / "token") in sentence


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"\n"])
def test_a_secrets_file_without_a_secret_is_refused_by_name(
    load: Load, tmp_path: Path, content: bytes
) -> None:
    tmp_path.joinpath("token").write_bytes(content)

    assert "OFFERS_MS_TOKEN_FILE" in refusal(load, OFFERS_MS_TOKEN_FILE=str(tmp_path / "token"))


PROVIDER = {
    "PRODUCTATOR_JWT_ISSUER": "https://id.example",
    "PRODUCTATOR_JWT_AUDIENCE": "productator",
    "PRODUCTATOR_JWT_JWKS_URL": "https://id.example/keys",
}


@pytest.mark.parametrize("left_out", PROVIDER)
def test_half_an_identity_provider_is_refused(load: Load, left_out: str) -> None:
    given = {name: value for name, value in PROVIDER.items() if name != left_out}

    assert left_out in refusal(load, **given)


@pytest.mark.parametrize(
    "address", ["https://id.example/keys?policy=1", "http://localhost:8080/k", "http://[::1]/keys"]
)
def test_keys_come_over_https_or_from_this_machine(load: Load, address: str) -> None:
    settings = load(**PROVIDER | {"PRODUCTATOR_JWT_JWKS_URL": address})

    assert settings.jwt_jwks_url == address


@pytest.mark.parametrize(
    ("days", "named"),
    [
        (("14", "13", "0"), "HOURLY"),
        (("0", "730", "0"), "HOURLY"),
        (("14", "30", "29"), "DAILY"),
        (("14", "0", "730"), "DAILY"),
    ],
)
def test_coarser_history_that_ends_before_the_finer_is_refused(
    load: Load, days: tuple[str, ...], named: str
) -> None:
    names = [f"PRODUCTATOR_{detail}_POINTS_DAYS" for detail in ("RAW", "HOURLY", "DAILY")]

    sentence = refusal(load, **dict(zip(names, days, strict=True)))
    assert sentence.startswith(f"PRODUCTATOR_{named}_POINTS_DAYS must not be less than ")


def test_history_of_any_resolution_may_be_kept_for_ever(load: Load) -> None:
    settings = load(PRODUCTATOR_HOURLY_POINTS_DAYS="0", PRODUCTATOR_RAW_POINTS_DAYS="36500")

    assert settings.retention.hourly_points_days == 0


def test_both_tokens_at_once_are_refused(load: Load) -> None:
    sentence = refusal(load, OFFERS_MS_TOKEN="hidden-1", OFFERS_MS_REFRESH_TOKEN="hidden-2")

    assert "OFFERS_MS_TOKEN and OFFERS_MS_REFRESH_TOKEN" in sentence
    assert "hidden" not in sentence


@pytest.mark.parametrize("url", ["sqlite:///copy.db", "mysql+pymysql://u:hidden@h/d"])
def test_a_replica_of_an_sqlite_file_is_refused(load: Load, url: str) -> None:
    sentence = refusal(load, DATABASE_REPLICA_URL=url)

    assert sentence == "DATABASE_REPLICA_URL needs servers: SQLite has no replicas."


def test_no_secret_is_shown_by_the_settings(load: Load) -> None:
    settings = load(
        DATABASE_URL="mysql+pymysql://u:hidden-1@h/d",
        OFFERS_MS_TOKEN="hidden-2",
        PRODUCTATOR_SECRET_KEY="hidden-3",
        PRODUCTATOR_ADMIN_TOKEN="hidden-from-everybody",
        OFFERS_MS_ADDRESS="http://user:hidden-5@offers.example/api/v1",
    )

    assert "hidden" not in repr(settings) + str(settings)
    assert "hidden-4" not in repr(load(OFFERS_MS_REFRESH_TOKEN="hidden-4"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OFFERS_MS_TOKEN", "hidden word"),
        ("PRODUCTATOR_ADMIN_TOKEN", "hidden"),
        ("DATABASE_URL", "hidden word"),
        ("OFFERS_MS_ADDRESS", "http://user:hidden@offers.example/?x=1"),
        ("OFFERS_MS_ADDRESS", "http://user:hid/hidden@offers.example/"),
        ("PRODUCTATOR_JWT_JWKS_URL", "http://user:hidden@id.example/keys"),
    ],
)
def test_no_secret_is_shown_by_a_refusal(load: Load, variable: str, value: str) -> None:
    assert "hidden" not in refusal(load, **{variable: value})


def test_no_secret_is_shown_by_the_refusal_of_an_incomplete_line(load: Load, file: Path) -> None:
    edit(file, "password = productator", "password hidden")

    sentence = refusal(load)

    assert "hidden" not in sentence
    assert "line" in sentence


def test_no_key_is_derived_from_the_address_of_the_database(load: Load) -> None:
    assert load(DATABASE_URL="sqlite:///a.db").secret_key is None
    assert load(PRODUCTATOR_SECRET_KEY="given").secret_key == "given"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://shop.example", "https://shop.example"),
        ("http://127.0.0.1:6606/", "http://127.0.0.1:6606"),
        ("https://[::1]:8443/a/b/", "https://[::1]:8443/a/b"),
    ],
)
def test_the_public_address_has_scheme_host_and_prefix(load: Load, given: str, taken: str) -> None:
    assert load(PRODUCTATOR_PUBLIC_URL=given).public_url == taken


@pytest.mark.parametrize(
    "address",
    [
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "https://",
        "https://user:pw@shop.example",
        "https://shop.example?x=1",
        "https://shop.example/#x",
        "https://shop.example//x",
        "https://shop.example:70000",
        "https://shop .example",
        "https://čaj.example",
    ],
)
def test_a_public_address_of_another_form_is_refused(load: Load, address: str) -> None:
    with pytest.raises(ConfigError, match="PRODUCTATOR_PUBLIC_URL must be an http or https address"):
        load(PRODUCTATOR_PUBLIC_URL=address)


def test_settings_cannot_be_changed(load: Load) -> None:
    with pytest.raises(AttributeError):
        load().port = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    "env",
    [
        {
            "PRODUCTATOR_JWT_ISSUER": "https://id.example/realm",
            "PRODUCTATOR_JWT_AUDIENCE": "productator",
            "PRODUCTATOR_JWT_JWKS_URL": "https://id.example/keys",
        },
        {"PRODUCTATOR_TRUSTED_PROXIES": "1"},
    ],
)
def test_a_header_with_tokens_needs_a_provider_and_a_trusted_proxy(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="PRODUCTATOR_JWT_HEADER needs"):
        Settings.load(None, {"PRODUCTATOR_JWT_HEADER": "X-Forwarded-Access-Token"} | env)
