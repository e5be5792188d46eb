"""What the servers are asked: reads of every kind, and writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from lab.benchmarks.filling import OFFERS
from lab.benchmarks.servers import MeasuredServer
from lab.processes.api import ADMIN_TOKEN

PRODUCTS = 10_000
_HOT_PRODUCTS = 100
_TAGGED_PRODUCTS = 500
_LIST = "/api/v1/products?limit=50"
# Bodies, and the fields of answers, which have to be the same.
_NEW_PRODUCT = {"name": "Hand mill", "description": "About as much text as a product commonly has. " * 3}
_NEW_OFFER = {"price": 1990, "items_in_stock": 3}


@dataclass(frozen=True)
class Scenario:
    title: str
    # The body of a Lua function that returns a request, and what is before it.
    request: str
    before: str = ""
    clients: int = 8
    # Whether the proxy stands before ours, and whether an answer of bare uWSGI is of interest.
    is_proxied: bool = False
    has_ceiling: bool = False


def _random(products: int, path: str) -> str:
    return (
        f'local product = math.random(1, {products}) return wrk.format("GET", "/api/v1/products/" .. {path})'
    )


def _post(path: str, body: Mapping[str, object]) -> str:
    return (
        f"local product = math.random(1, {PRODUCTS}) "
        f'local headers = {{["Content-Type"] = "application/json", Authorization = "Bearer {ADMIN_TOKEN}"}} '
        f'return wrk.format("POST", "/api/v1/products" .. {path}, headers, [[{json.dumps(body)}]])'
    )


_ITS_OFFERS = _random(PRODUCTS, 'product .. "/offers"')
READS = (
    Scenario("a product", _random(PRODUCTS, "product")),
    Scenario("a product's 10 offers", _ITS_OFFERS, has_ceiling=True),
    Scenario("an offer", _random(PRODUCTS, f'product .. "/offers/" .. product * {OFFERS}')),
    Scenario("a product's 10 offers, 100 clients", _ITS_OFFERS, clients=100, has_ceiling=True),
    Scenario(
        f"the 10 offers of {_HOT_PRODUCTS} products, 100 clients, ours through the proxy",
        _random(_HOT_PRODUCTS, 'product .. "/offers"'),
        clients=100,
        is_proxied=True,
    ),
    Scenario("a page of 50 products", f'return wrk.format("GET", "{_LIST}")'),
)
READS_WHILE_REFRESHED = Scenario("a product's 10 offers, while 1,000 products/s are refreshed", _ITS_OFFERS)
WRITES = (
    Scenario("POST of a product", _post('""', _NEW_PRODUCT)),
    Scenario("POST of an offer", _post('"/" .. product .. "/offers"', _NEW_OFFER)),
)


def unchanged_reads(server: MeasuredServer) -> Scenario:
    """Reads of products that the caller knows already; peers, which have no tags, answer them in full."""
    tags = {
        each: requests.get(f"{server.address}/api/v1/products/{each}", timeout=10).headers["ETag"]
        for each in range(1, _TAGGED_PRODUCTS + 1)
    }
    known = ", ".join(f"[[{tag}]]" for tag in tags.values())
    return Scenario(
        "a product that has not changed (If-None-Match)",
        f"local product = math.random(1, {_TAGGED_PRODUCTS}) "
        'return wrk.format("GET", "/api/v1/products/" .. product, {["If-None-Match"] = tags[product]})',
        before=f"local tags = {{{known}}}",
    )


def require_equal_answers(ours: MeasuredServer, peer: MeasuredServer) -> None:
    """A peer that answers something else is no peer."""
    for path in ("/1", "/7/offers", f"/7/offers/{7 * OFFERS}", "?limit=50"):
        expected, found = (
            requests.get(f"{each.address}/api/v1/products{path}", timeout=10).json() for each in (ours, peer)
        )
        assert _comparable(found) == _comparable(expected), f"{peer.name}, {path}: {found}"
    for path, body in (("", _NEW_PRODUCT), ("/1/offers", _NEW_OFFER)):
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        created = requests.post(
            f"{peer.address}/api/v1/products{path}", json=body, headers=headers, timeout=10
        )
        assert created.status_code == 201, f"{peer.name}: {created.text}"
        address = f"{ours.address}/api/v1/products{path}/{created.json()['id']}"
        assert requests.get(address, timeout=10).json() == created.json()
        assert requests.delete(address, headers=headers, timeout=10).ok


def _comparable(answer: dict[str, object]) -> dict[str, object]:
    """Without the address of the next page, which each writes in its own way."""
    return {name: value for name, value in answer.items() if name != "next"}
