"""What the API believes about a request's way: the caller's address, the scheme, the host and the prefix."""

import time
from typing import Any

import pytest
from flask import Flask, jsonify, request

from productator.api.conventions.addresses import address_of
from productator.api.conventions.forwarding import Forwarding
from productator.database.use import WAITED_S

FORWARDED = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/shop",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-SSL": "on",
    "Forwarded": "for=198.51.100.8;host=evil.example",
}


def answer_to(
    headers: dict[str, str],
    *,
    host: str = "api.example:6606",
    scheme: str = "http",
    trusted_proxies: int = 0,
    public_url: str | None = None,
    target: str = "/products",
) -> dict[str, Any]:
    """What an application sees of a request with these headers, which the server says came over `scheme`."""
    app = Flask("forwarding")

    @app.get("/products")
    def show() -> Any:
        names = [name for name, _ in request.headers if "Forwarded" in name]
        address = address_of("show", page=2)
        waited_s = request.environ.get(WAITED_S)
        return jsonify(
            address=address,
            caller=request.remote_addr,
            path=request.path,
            forwarded=names,
            waited_s=waited_s,
        )

    app.wsgi_app = Forwarding(  # type: ignore[method-assign]
        app.wsgi_app, trusted_proxies=trusted_proxies, public_url=public_url
    )
    # The client of Flask takes a whole address apart.
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()} | {
        "HTTP_HOST": host,
        "PATH_INFO": target,
        "SERVER_NAME": "machine-7",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.url_scheme": scheme,
    }
    body: dict[str, Any] = app.test_client().get("/products", environ_overrides=environ).get_json()
    return body


def test_no_forwarded_header_is_believed_without_a_trusted_proxy() -> None:
    seen = answer_to(FORWARDED)

    assert (seen["address"], seen["caller"]) == ("http://api.example:6606/products?page=2", "192.0.2.1")


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-SSL"])
def test_a_scheme_that_the_server_took_from_a_stranger_is_not_believed(name: str) -> None:
    """uWSGI reads these headers itself."""
    seen = answer_to({name: FORWARDED[name]}, scheme="https")

    assert seen["address"].startswith("http://")


@pytest.mark.parametrize("target", ["http://shop.example/products", "HTTPS://shop.example/products"])
def test_a_target_that_is_a_whole_address_gives_the_host_and_the_path(target: str) -> None:
    seen = answer_to({}, target=target)

    assert (seen["path"], seen["address"]) == ("/products", "http://shop.example/products?page=2")


def test_the_address_in_the_settings_stands_before_that_of_the_target() -> None:
    seen = answer_to({}, target="http://evil.example/products", public_url="https://shop.example")

    assert seen["address"] == "https://shop.example/products?page=2"


def test_a_server_that_speaks_https_is_believed() -> None:
    assert answer_to({}, scheme="https")["address"].startswith("https://")


def test_a_trusted_proxy_gives_address_scheme_and_prefix_but_no_host() -> None:
    seen = answer_to(FORWARDED, trusted_proxies=1)

    assert (seen["address"], seen["caller"]) == (
        "https://api.example:6606/shop/products?page=2",
        "198.51.100.7",
    )
    assert seen["path"] == "/products"


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_nothing_else_can_read_forwarded_headers(proxies: int) -> None:
    assert answer_to(FORWARDED, trusted_proxies=proxies)["forwarded"] == []


@pytest.mark.parametrize(
    ("proxies", "caller"), [(1, "198.51.100.3"), (2, "198.51.100.2"), (3, "203.0.113.1"), (4, "192.0.2.1")]
)
def test_of_several_addresses_the_one_of_the_outermost_trusted_proxy_counts(
    proxies: int, caller: str
) -> None:
    given = {"X-Forwarded-For": "203.0.113.1, 198.51.100.2,198.51.100.3"}

    assert answer_to(given, trusted_proxies=proxies)["caller"] == caller


@pytest.mark.parametrize(
    ("proxies", "ago_s", "waited_s"),
    [(0, 2, None), (1, 2, 2), (2, 2, 2), (1, -3600, 0), (1, 3600, 5)],
    ids=["no proxy is believed", "one", "two", "its clock is ahead", "its clock is behind"],
)
def test_a_trusted_proxy_says_how_long_a_request_has_waited_there(
    proxies: int, ago_s: float, waited_s: float | None
) -> None:
    seen = answer_to({"X-Request-Start": f"t={time.time() - ago_s:.3f}"}, trusted_proxies=proxies)

    assert seen["waited_s"] == (None if waited_s is None else pytest.approx(waited_s, abs=1))


@pytest.mark.parametrize(
    "started", ["", "t=", "t=x", "t=nan", "1764255946", "t=-1", "t=1e9", f"t={'9' * 99}"]
)
def test_a_start_that_is_no_time_is_ignored(started: str) -> None:
    assert answer_to({"X-Request-Start": started}, trusted_proxies=1)["waited_s"] is None


@pytest.mark.parametrize("scheme", ["", "javascript", "ftp", "https://evil.example", "http\\s"])
def test_a_scheme_that_is_none_is_ignored(scheme: str) -> None:
    seen = answer_to({"X-Forwarded-Proto": scheme}, trusted_proxies=1)

    assert seen["address"].startswith("http://api.example:6606/")


@pytest.mark.parametrize("prefix", ["/shop", "/shop/", "/a/b-c_d~e", "/sh%C3%B3p"])
def test_a_prefix_of_a_trusted_proxy_comes_before_the_path(prefix: str) -> None:
    seen = answer_to({"X-Forwarded-Prefix": prefix}, trusted_proxies=1)

    assert seen["address"] == f"http://api.example:6606{prefix.rstrip('/')}/products?page=2"


@pytest.mark.parametrize(
    "prefix", ["", "/", "shop", "//evil.example", "/shop?x=1", "/shop#x", "/a b", "/\xff"]
)
def test_a_prefix_that_is_no_path_is_ignored(prefix: str) -> None:
    seen = answer_to({"X-Forwarded-Prefix": prefix}, trusted_proxies=1)

    assert seen["address"] == "http://api.example:6606/products?page=2"


@pytest.mark.parametrize(
    "host", ["shop.example", "127.0.0.1:6606", "[::1]:6606", ".".join(4 * [60 * "a"]), "xn--aj-3ka.example"]
)
def test_a_valid_host_is_the_host_of_addresses(host: str) -> None:
    assert answer_to({}, host=host)["address"] == f"http://{host}/products?page=2"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a/b",
        "shop.example:",
        "shop.example:x",
        "shop.example:70000",
        "<script>",
        "a@b",
        ".".join(5 * [60 * "a"]),
        "\xff",
    ],
)
def test_with_an_invalid_host_addresses_are_relative(host: str) -> None:
    assert answer_to({}, host=host)["address"] == "/products?page=2"


def test_relative_addresses_have_the_prefix_too() -> None:
    seen = answer_to({"X-Forwarded-Prefix": "/shop"}, trusted_proxies=1, host="a b")

    assert seen["address"] == "/shop/products?page=2"


@pytest.mark.parametrize("host", ["evil.example", "", "a b"])
@pytest.mark.parametrize("proxies", [0, 1])
def test_the_public_address_of_the_settings_wins(host: str, proxies: int) -> None:
    seen = answer_to(
        FORWARDED | {"X-Forwarded-Prefix": "/evil"},
        host=host,
        trusted_proxies=proxies,
        public_url="https://shop.example/productator",
    )

    assert seen["address"] == "https://shop.example/productator/products?page=2"
    assert seen["path"] == "/products"
