"""Generation 2 of the contract (2022): access tokens for five minutes, UUIDs, errors like FastAPI's."""

import json
from typing import Any
from uuid import UUID

from simulator.calls import ServiceAnswer, ServiceCall, json_answer
from simulator.identities import Generation2Tokens, Identity
from simulator.listings import Listings

_MISSING = ("field required", "value_error.missing")
_NULL = ("none is not an allowed value", "type_error.none.not_allowed")
_NOT_A_DICT = ("value is not a valid dict", "type_error.dict")
_NOT_A_STRING = ("str type expected", "type_error.str")
_NOT_A_UUID = ("value is not a valid uuid", "type_error.uuid")


class Generation2:
    """Answers calls like the service of generation 2."""

    def __init__(self, listings: Listings, *, refresh_token: str, lifetime_s: int) -> None:
        self.tokens = Generation2Tokens(refresh_token=refresh_token, lifetime_s=lifetime_s)
        self._listings = listings

    def canonical_id(self, product: object) -> str:
        return str(_uuid(product) or product)

    def problem(self, status: int, text: str) -> ServiceAnswer:
        return json_answer(status, {"detail": text})

    def unauthorized(self) -> ServiceAnswer:
        return self.problem(401, "Bad access token")

    def not_registered(self) -> ServiceAnswer:
        return self.problem(404, "Product does not exist")

    def answer(self, call: ServiceCall) -> ServiceAnswer:
        if call.name == "auth":
            return self._auth(call.bearer)
        identity = self.tokens.identity(call.bearer)
        if identity is None:
            return self.unauthorized()
        if call.name == "register":
            return self._register(identity, call.body)
        return self._offers(identity, call.product)

    def _auth(self, refresh_token: str | None) -> ServiceAnswer:
        if refresh_token is None:
            return _invalid([_error(["header", "Bearer"], _MISSING)])
        if not self.tokens.knows(refresh_token):
            return self.problem(401, "Bad refresh token")
        if self.tokens.has_valid_access_token():
            return self.problem(400, "Cannot generate access token because another is valid")
        return json_answer(201, {"access_token": self.tokens.issue()})

    def _register(self, identity: Identity, body: bytes) -> ServiceAnswer:
        try:
            product: Any = json.loads(body or b"null")
        except ValueError as error:
            position = getattr(error, "pos", 0)
            return _invalid([_error(["body", position], (str(error), "value_error.jsondecode"))])
        if errors := _body_errors(product):
            return _invalid(errors)
        product_id = self.canonical_id(product["id"])
        if product_id in identity.products:
            return self.problem(409, "Product ID already registered")
        identity.products.add(product_id)
        return json_answer(201, {"id": product_id})

    def _offers(self, identity: Identity, text: str | None) -> ServiceAnswer:
        if (product := _uuid(text)) is None:
            return _invalid([_error(["path", "product_id"], _NOT_A_UUID)])
        if str(product) not in identity.products:
            return self.not_registered()
        tick, body = self._listings.now(str(product))
        return ServiceAnswer(200, body, tick=tick)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _body_errors(product: Any) -> list[dict[str, Any]]:
    if product is None:
        return [_error(["body"], _MISSING)]
    if not isinstance(product, dict):
        return [_error(["body"], _NOT_A_DICT)]
    checked = ((field, _mistake(field, product)) for field in ("id", "name", "description"))
    return [_error(["body", field], mistake) for field, mistake in checked if mistake is not None]


def _mistake(field: str, product: dict[str, Any]) -> tuple[str, str] | None:
    if field not in product:
        return _MISSING
    if product[field] is None:
        return _NULL
    if field == "id":
        return None if _uuid(product["id"]) else _NOT_A_UUID
    return None if isinstance(product[field], str) else _NOT_A_STRING


def _invalid(errors: list[dict[str, Any]]) -> ServiceAnswer:
    return json_answer(422, {"detail": errors})


def _error(location: list[str | int], mistake: tuple[str, str]) -> dict[str, Any]:
    return {"loc": location, "msg": mistake[0], "type": mistake[1]}
