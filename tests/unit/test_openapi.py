"""The OpenAPI document: valid, complete, and true to the routes and the models."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate as validate_document
from pydantic import ValidationError

from productator.api.conventions.page_routes import is_page
from productator.api.conventions.problem_types import PROBLEM_TYPES
from productator.api.openapi import document as documents
from productator.api.openapi.operations import OPERATIONS
from productator.api.schemas.bodies import ProductPatch
from productator.app import create_app
from productator.catalogue.validation import NAME_PATTERN
from tests import factories
from tests.openapi import operations, resolved, responses, strict, validate
from tests.servers import dispose_of

Json = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    file = tmp_path_factory.mktemp("openapi") / "x.db"
    app = create_app(factories.settings(database_url=f"sqlite:///{file}"))
    dispose_of(app)
    return app


@pytest.fixture(scope="module")
def document(app: Flask) -> Json:
    return documents.build(app)


def test_the_document_is_valid_openapi(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    validate_document(document)


def test_every_route_is_described_and_no_other(app: Flask, document: Json) -> None:
    routes = {
        f"{method} {documents.path_of(rule)}"
        for rule in app.url_map.iter_rules()
        if not is_page(app, rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert operations(document).keys() == routes


def test_a_route_without_its_declaration_cannot_be_described(tmp_path: Path) -> None:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    dispose_of(app)
    app.add_url_rule("/undeclared", "undeclared", lambda: "")

    with pytest.raises(KeyError, match="undeclared"):
        documents.build(app)


def test_no_declaration_is_kept_for_a_route_that_is_gone(app: Flask) -> None:
    assert OPERATIONS.keys() == {rule.endpoint for rule in app.url_map.iter_rules() if not is_page(app, rule)}


def test_the_endpoints_document_describes_the_same_operations(document: Json) -> None:
    text = Path(__file__).parents[2].joinpath("ENDPOINTS.md").read_text(encoding="utf-8")

    assert operations(document).keys() == set(re.findall(r"^### ([A-Z]+ /\S*)$", text, re.MULTILINE))


def test_operations_have_ids_of_their_own(document: Json) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]

    assert len(ids) == len(set(ids))


def test_every_tag_is_explained(document: Json) -> None:
    used = {tag for operation in operations(document).values() for tag in operation["tags"]}

    assert used == {tag["name"] for tag in document["tags"]}


def test_every_error_is_a_problem(document: Json) -> None:
    errors = [
        (status, response)
        for operation in operations(document).values()
        for status, response in responses(document, operation)
        if status >= 400
    ]

    assert errors
    for _, response in errors:
        schema = response["content"]["application/problem+json"]["schema"]
        assert schema["allOf"] == [{"$ref": "#/components/schemas/Problem"}]


@pytest.mark.parametrize(
    ("status", "header"),
    [
        (201, "Location"),
        (401, "WWW-Authenticate"),
        (403, "WWW-Authenticate"),
        (304, "ETag"),
        (405, "Allow"),
        (412, "ETag"),
        (503, "Retry-After"),
    ],
)
def test_an_answer_names_its_headers(document: Json, status: int, header: str) -> None:
    answers = [
        response
        for operation in operations(document).values()
        for found, response in responses(document, operation)
        if found == status
    ]

    assert answers
    assert all(header in answer["headers"] for answer in answers)


def test_every_answer_carries_the_request_id(document: Json) -> None:
    for operation in operations(document).values():
        assert {"$ref": "#/components/parameters/X-Request-Id"} in operation["parameters"]
        assert all("X-Request-Id" in response["headers"] for _, response in responses(document, operation))


def test_every_problem_type_is_an_answer_of_some_operation(document: Json) -> None:
    types = {
        name
        for operation in operations(document).values()
        for status, response in responses(document, operation)
        if status >= 400
        for name in response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    }

    of_pages = {"/problems/form-refused"}
    assert types == {each.type for each in PROBLEM_TYPES.values()} - of_pages


def protected(document: Json) -> dict[str, Json]:
    return {call: each for call, each in operations(document).items() if " /api/" in call}


def test_every_call_of_the_api_describes_the_answer_without_a_valid_token(document: Json) -> None:
    answers = [set(operation["responses"]) for operation in protected(document).values()]

    assert answers
    assert all({"401", "403"} <= statuses for statuses in answers)


def test_changes_need_a_token_and_reads_accept_one(document: Json) -> None:
    for call, operation in protected(document).items():
        assert operation["security"] == _security(call)


def _security(call: str) -> list[Json]:
    if call.split("/")[3] in {"channels", "deliveries", "tokens"}:
        return [{"token": ["admin"]}]
    return [{}, {"token": ["read"]}] if call.startswith("GET ") else [{"token": ["write"]}]


def test_open_calls_need_no_token(document: Json) -> None:
    others = operations(document).keys() - protected(document).keys() - {"GET /metrics"}

    assert {"GET /livez", "GET /openapi.json", "GET /docs"} <= others
    assert not [call for call in others if "security" in operations(document)[call]]


def test_tokens_are_sent_as_bearers(document: Json) -> None:
    scheme = document["components"]["securitySchemes"]["token"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def contents(document: Json) -> list[Json]:
    """Every body of the document, of requests and of answers."""
    found = []
    for operation in operations(document).values():
        found += [operation.get("requestBody", {})]
        found += [response for _, response in responses(document, operation)]
    return [content for each in found for content in each.get("content", {}).values()]


def test_every_body_has_an_example_that_is_valid(document: Json) -> None:
    schemas = strict(document)
    for content in contents(document):
        examples = [resolved(document, each)["value"] for each in content.get("examples", {}).values()]
        for example in examples or [content["example"]]:
            validate(schemas, content["schema"], example)


@pytest.mark.parametrize("path", ["/api/v1/products/{id}", "/api/v1/products/{id}/offers/{offer_id}"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_the_example_of_an_answer_shows_what_was_sent(document: Json, path: str, method: str) -> None:
    operation = document["paths"][path][method]
    sent = operation["requestBody"]["content"]["application/json"]["example"]
    answered = operation["responses"]["200"]["content"]["application/json"]["example"]

    assert answered == answered | sent


def test_a_new_offer_is_linked_to_its_operations(document: Json) -> None:
    links = document["paths"]["/api/v1/products/{id}/offers"]["post"]["responses"]["201"]["links"]

    parameters = {"id": "$request.path.id", "offer_id": "$response.body#/id"}
    assert links.keys() >= {"get_offer", "replace_offer", "patch_offer", "delete_offer"}
    assert all(link == {"operationId": name, "parameters": parameters} for name, link in links.items())


def test_a_new_product_is_linked_to_its_offers(document: Json) -> None:
    links = document["paths"]["/api/v1/products"]["post"]["responses"]["201"]["links"]

    assert links["create_offer"]["parameters"] == {"id": "$response.body#/id"}
    assert "get_offer" not in links


@pytest.mark.parametrize("path", ["/api/v1/products/{id}", "/api/v1/products/{id}/offers/{offer_id}"])
def test_a_patch_takes_both_media_types(document: Json, path: str) -> None:
    assert document["paths"][path]["patch"]["requestBody"]["content"].keys() == {
        "application/json",
        "application/merge-patch+json",
    }


@pytest.mark.parametrize("name", ["ProductIn", "ProductPatch", "ProductBatch", "OfferIn", "OfferPatch"])
def test_bodies_refuse_unknown_fields(document: Json, name: str) -> None:
    assert document["components"]["schemas"][name]["additionalProperties"] is False


def test_limits_of_bodies_and_queries_are_described(document: Json) -> None:
    name = document["components"]["schemas"]["ProductIn"]["properties"]["name"]
    parameters = [
        resolved(document, each) for each in document["paths"]["/api/v1/offers"]["get"]["parameters"]
    ]
    schemas = {each["name"]: each["schema"] for each in parameters}

    assert (name["minLength"], name["maxLength"]) == (1, 450)
    assert schemas["min_price"] == {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
    assert schemas["limit"] == {"type": "integer", "minimum": 1, "default": 50}


@pytest.mark.parametrize(
    ("key", "is_one"), [("order-1", True), ('"a \\"b\\""', True), ('"a', False), ("a b", False), ("", False)]
)
def test_the_pattern_of_idempotency_keys_matches_valid_ones_only(
    document: Json, key: str, is_one: bool
) -> None:
    schema = document["components"]["parameters"]["Idempotency-Key"]["schema"]

    assert bool(re.search(schema["pattern"], key)) == is_one


@given(
    st.text(
        st.sampled_from("\0 a\t\n\x1c\x1f\x85\xad\ufeff\u200b\u2003\u3000\U000e0041")
        | st.characters(codec="utf-8")
    )
)
def test_the_pattern_of_names_matches_valid_ones_only(name: str) -> None:
    try:
        ProductPatch(name=name)
        is_taken = True
    except ValidationError:
        is_taken = False

    assert bool(re.search(NAME_PATTERN, name)) == is_taken
