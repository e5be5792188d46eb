"""What the document's schemas are made of."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from productator.domain import MAX_AMOUNT, MAX_ID

Json = dict[str, Any]

ID: Json = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
TIME: Json = {"type": "string", "format": "date-time"}
AMOUNT: Json = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_AMOUNT}
TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
NEXT: Json = {
    "type": ["string", "null"],
    "format": "uri",
    "description": "The address of the next page, or null on the last one.",
}
CURRENCY: Json = {
    "type": ["string", "null"],
    "pattern": "^[A-Z]{3}$",
    "description": "ISO 4217; the deployment's one currency, if it names any.",
}


class _Shapes(GenerateJsonSchema):
    """Names components like the classes, without `Json`, and makes no titles of the fields' names."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name.removesuffix("Json"))

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base's signature
        return False


def shape(answer: Any) -> Json:
    """The schema of a TypedDict; the ones in it are referred to as components."""
    schema = TypeAdapter(answer).json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}", schema_generator=_Shapes
    )
    return {name: schema[name] for name in ("type", "properties", "required")}


def object_of(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def list_of(name: str) -> Json:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def or_null(schema: Json, description: str | None = None) -> Json:
    told = {"description": description} if description else {}
    return {"anyOf": [schema, {"type": "null"}]} | told
