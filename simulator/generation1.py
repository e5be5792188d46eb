"""Generation 1 of the contract (2020): permanent tokens, integer offer ids, errors with code and msg."""

import json
from typing import Any

from simulator.calls import ServiceAnswer, ServiceCall, json_answer, reason_of
from simulator.identities import Generation1Tokens, Identity
from simulator.listings import Listings

_ODD_CODES = {400: "BAD_REQUEST", 404: "NOT FOUND"}


class Generation1:
    """Answers calls like the service of generation 1."""

    def __init__(self, listings: Listings) -> None:
        self.tokens = Generation1Tokens()
        self._listings = listings

    def canonical_id(self, product: object) -> str:
        return str(product)

    def problem(self, status: int, text: str) -> ServiceAnswer:
        code = _ODD_CODES.get(status, reason_of(status).upper())
        return json_answer(status, {"code": code, "msg": text})

    def unauthorized(self) -> ServiceAnswer:
        return self.problem(401, "Access token is missing or unknown")

    def not_registered(self) -> ServiceAnswer:
        return self.problem(404, "Product does not exist")

    def answer(self, call: ServiceCall) -> ServiceAnswer:
        if call.name == "auth":
            return json_answer(201, {"access_token": self.tokens.issue()})
        identity = self.tokens.identity(call.bearer)
        if identity is None:
            return self.unauthorized()
        if call.name == "register":
            return self._register(identity, call.body)
        return self._offers(identity, str(call.product))

    def _register(self, identity: Identity, body: bytes) -> ServiceAnswer:
        try:
            product = json.loads(body)
        except ValueError:
            return self.problem(400, "The body is not JSON")
        if mistake := _mistake(product):
            return self.problem(400, mistake)
        # A second registration is undocumented; it is accepted like the first.
        identity.products.add(self.canonical_id(product["id"]))
        return json_answer(201, {"id": product["id"]})

    def _offers(self, identity: Identity, product: str) -> ServiceAnswer:
        if product not in identity.products:
            return self.not_registered()
        tick, body = self._listings.now(product)
        return ServiceAnswer(200, body, tick=tick)


def _mistake(product: Any) -> str | None:
    if not isinstance(product, dict):
        return "The body is not an object"
    product_id = product.get("id")
    if not isinstance(product_id, int | str) or isinstance(product_id, bool) or product_id == "":
        return "id must be an integer or a text"
    for field in ("name", "description"):
        if not isinstance(product.get(field), str):
            return f"{field} must be a text"
    return None
