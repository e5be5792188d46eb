"""Builds the OpenAPI document of an application from its routes and the table of operations."""

import re
from http import HTTPStatus
from importlib import metadata
from inspect import getdoc

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from productator.api.conventions import problem_types
from productator.api.conventions.auth import is_protected
from productator.api.conventions.page_routes import is_page
from productator.api.conventions.problem_types import ProblemType
from productator.api.conventions.rate_limits import EXEMPT
from productator.api.openapi import links, problems, security, webhooks
from productator.api.openapi.components import components
from productator.api.openapi.operations import OPERATIONS, Operation, RequestBody, Success
from productator.api.openapi.parts import Json, shape

_DESCRIPTION = """Stores products and keeps their offers fresh.

Every error is a problem (RFC 9457) and carries the answer's `X-Request-Id`. Unknown fields, and unknown
query parameters of lists, are refused. Every path with GET has HEAD, and every path has OPTIONS. Times are
UTC; prices and stock are whole numbers. Answers may get new members at any time.

Every change needs a token with the scope `write`; tokens, channels and deliveries need `admin`. A deployment
may require the scope `read` for everything else, too, or no token at all. A token that is sent must be valid.
"""
_TAGS = {
    "Products": "The products, each with its offers.",
    "Offers": "External ones are kept fresh by the refresher, own ones are changed here.",
    "Prices": "A product's prices over time; figures are weighted by time.",
    "Tokens": "Who may call the API; for administrators.",
    "Alerts": "Rules, the events that they gave, channels and deliveries; the last two for admins only.",
    "Operation": "Probes, metrics, and how the system does.",
    "Documentation": "This document, and the meaning of each problem.",
}
_PROBLEMS_OF_A_BODY = {
    problem_types.LENGTH_REQUIRED,
    problem_types.BODY_TOO_LARGE,
    problem_types.UNSUPPORTED_MEDIA_TYPE,
    problem_types.INVALID_INPUT,
}
_PROBLEMS_OF_A_QUERY = {problem_types.INVALID_INPUT, problem_types.CURSOR_REJECTED}
_PROBLEMS_OF_A_CHANGE = {
    problem_types.STALE_VERSION,
    problem_types.WEAK_TAG_SENT,
    problem_types.VERSION_EXCLUDED,
    problem_types.PRECONDITION_REQUIRED,
}
_PROBLEMS_OF_A_KEY = {problem_types.MALFORMED_KEY, problem_types.KEY_IN_USE, problem_types.KEY_REUSED}
_PROBLEMS_OF_AN_ID = {
    "product_id": problem_types.PRODUCT_NOT_FOUND,
    "offer_id": problem_types.OFFER_NOT_FOUND,
    "token_id": problem_types.TOKEN_NOT_FOUND,
    "channel_id": problem_types.CHANNEL_NOT_FOUND,
    "delivery_id": problem_types.DELIVERY_NOT_FOUND,
    "rule_id": problem_types.ALERT_RULE_NOT_FOUND,
    "event_id": problem_types.EVENT_NOT_FOUND,
}
_HEADER_OF = {
    None: [],
    "read": ["If-None-Match"],
    "change": ["If-Match", "If-None-Match"],
    "once": ["Idempotency-Key"],
}
_PROBLEMS_OF_ALL = {
    problem_types.MALFORMED_REQUEST,
    problem_types.METHOD_NOT_ALLOWED,
    problem_types.URI_TOO_LONG,
    problem_types.BODY_ENCODED,
    problem_types.HEADERS_TOO_LARGE,
    problem_types.INTERNAL_ERROR,
}
# "id" reads better than "product_id" where the product is what the path is about.
_NAMES = {"product_id": "id"}
_VARIABLE = re.compile("<(?:[a-z]+:)?([a-z_]+)>")


def build(app: Flask) -> Json:
    """Raises a KeyError that names the endpoint, if the table lacks one."""
    paths: dict[str, Json] = {}
    for rule in app.url_map.iter_rules():
        if is_page(app, rule):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            described = _operation(rule, OPERATIONS[rule.endpoint], getdoc(app.view_functions[rule.endpoint]))
            if created := described["responses"].get("201"):
                created["links"] = links.of_created(app, rule, _NAMES)
            if is_protected(rule):
                described["security"] = security.of(rule, method)
            paths.setdefault(path_of(rule), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Productator",
            "version": metadata.version("productator"),
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "./", "description": "Where this document was read."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "webhooks": webhooks.WEBHOOKS,
        "components": components(),
    }


def path_of(rule: Rule) -> str:
    """/products/{id} for /products/<id:product_id>."""
    return _VARIABLE.sub(lambda found: "{" + _name(found[1]) + "}", rule.rule)


def _name(argument: str) -> str:
    return _NAMES.get(argument, argument)


def _operation(rule: Rule, operation: Operation, description: str | None) -> Json:
    described: Json = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(rule, operation),
        "responses": _responses(rule, operation),
    }
    if description:
        described["description"] = description
    if operation.body:
        described["requestBody"] = _request_body(operation.body)
    return described


def _parameters(rule: Rule, operation: Operation) -> list[Json]:
    header = _HEADER_OF[operation.conditional]
    in_path = [_name(name) for name in _VARIABLE.findall(rule.rule)]
    shared = [{"$ref": f"#/components/parameters/{name}"} for name in (*in_path, *header, "X-Request-Id")]
    return [*shared, *_query(operation.query)]


def _query(model: type[BaseModel] | None) -> list[Json]:
    fields = shape(model, mode="validation")["properties"] if model else {}
    return [_query_parameter(name, schema) for name, schema in fields.items()]


def _query_parameter(name: str, schema: Json) -> Json:
    # A query has no null: in the model it stands for "not given".
    given: Json = next((each for each in schema.pop("anyOf", []) if each != {"type": "null"}), {})
    if schema.get("default", ...) is None:
        del schema["default"]
    schema = given | schema
    description = schema.pop("description", None)
    parameter = {"name": name, "in": "query", "schema": schema}
    return parameter | {"description": description} if description else parameter


def _request_body(body: RequestBody) -> Json:
    content = {
        "schema": {"$ref": f"#/components/schemas/{body.model.__name__}"},
        "example": body.example,
    }
    return {"required": True, "content": dict.fromkeys(body.types, content)}


def _responses(rule: Rule, operation: Operation) -> Json:
    answers = {str(operation.success.status): _success(operation)}
    if operation.conditional == "read":
        headers = _headers(*operation.success.headers)
        answers["304"] = {"description": "The reader has it already.", "headers": headers}
    return answers | problems.responses(_problems_of(rule, operation))


def _problems_of(rule: Rule, operation: Operation) -> set[ProblemType]:
    """The types of all problems that the operation can answer."""
    found = _PROBLEMS_OF_ALL | set(operation.problems)
    if is_protected(rule):
        found |= security.PROBLEMS
    if rule.arguments:
        found |= {problem_types.NOT_FOUND} | {
            _PROBLEMS_OF_AN_ID[name] for name in rule.arguments & _PROBLEMS_OF_AN_ID.keys()
        }
    if rule.rule not in EXEMPT:
        found |= {problem_types.TOO_MANY_REQUESTS}
    if operation.body:
        found |= _PROBLEMS_OF_A_BODY
    if operation.query:
        found |= (
            _PROBLEMS_OF_A_QUERY
            if "cursor" in operation.query.model_fields
            else {problem_types.INVALID_INPUT}
        )
    if operation.conditional == "change":
        found |= _PROBLEMS_OF_A_CHANGE
    if operation.conditional == "once":
        found |= _PROBLEMS_OF_A_KEY
    if problem_types.UNAVAILABLE in found:
        found |= {problem_types.NOTHING_IS_STORED}
    if problem_types.UNAVAILABLE in found and "GET" not in (rule.methods or set()):
        found |= {problem_types.COMMIT_UNKNOWN}
    return found


def _success(operation: Operation) -> Json:
    success = operation.success
    replayed = ("Idempotency-Replayed",) if operation.conditional == "once" else ()
    described: Json = {
        "description": HTTPStatus(success.status).phrase,
        "headers": _headers(*success.headers, *replayed),
    }
    if success.schema:
        content = {"schema": {"$ref": f"#/components/schemas/{success.schema}"}} | _examples(success)
        described["content"] = {success.media_type: content}
    return described


def _examples(success: Success) -> Json:
    if success.examples is None:
        return {"example": success.example}
    return {"examples": {name: {"value": value} for name, value in success.examples.items()}}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, *problems.ALWAYS)}
