"""The document for tests: its operations, and schemas that refuse unknown members."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator

Json = dict[str, Any]


def operations(document: Json) -> dict[str, Json]:
    """Every operation by method and path: "GET /livez"."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolved(document: Json, node: Json) -> Json:
    """What a reference points at; anything else as it is."""
    if "$ref" not in node:
        return node
    found = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def responses(document: Json, operation: Json) -> Iterator[tuple[int, Json]]:
    for status, response in operation["responses"].items():
        yield int(status), resolved(document, response)


def validate(document: Json, schema: Json, value: object) -> None:
    """Validates a value against a schema of the document, formats included."""
    whole = schema | {"components": document["components"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def strict(document: Json) -> Json:
    """The document with schemas that also refuse members they do not name."""
    copy = deepcopy(document)
    for schema in copy["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return copy
