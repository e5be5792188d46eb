"""Behind proxies: addresses that clients can follow."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of

FORWARDED = {"Host": "shop.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(params=[0, 1])
def proxies(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def client(database_url: str, proxies: int) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=database_url, trusted_proxies=proxies))
    yield app.test_client()
    dispose_of(app)


def test_addresses_say_https_where_a_trusted_proxy_does(client: FlaskClient, proxies: int) -> None:
    created = client.post(PRODUCTS, json={"name": "Kettle"}, headers=FORWARDED)

    scheme = "https" if proxies else "http"
    assert created.headers["Location"].startswith(f"{scheme}://shop.example/api/v1/products/")
