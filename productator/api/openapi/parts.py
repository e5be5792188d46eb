"""What the document's schemas are made of."""

from typing import Any

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


def object_of(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def list_of(name: str) -> Json:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def or_null(schema: Json, description: str | None = None) -> Json:
    told = {"description": description} if description else {}
    return {"anyOf": [schema, {"type": "null"}]} | told
