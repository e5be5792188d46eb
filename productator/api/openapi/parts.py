"""Parts of the document's schemas, derived from declared types."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from productator.api.schemas.answers import Id

Json = dict[str, Any]


class _Shapes(GenerateJsonSchema):
    """Names components like their classes, without `Json`, and derives no titles from the names of fields."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name.removesuffix("Json"))

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base's signature
        return False


def shape(declared: Any, *, mode: JsonSchemaMode = "serialization") -> Json:
    """The JSON Schema of a type; the types inside it are components of their own."""
    schema = TypeAdapter(declared).json_schema(
        mode=mode, ref_template="#/components/schemas/{model}", schema_generator=_Shapes
    )
    return {key: value for key, value in schema.items() if key not in {"$defs", "title"}}


ID = shape(Id)
TEXT: Json = {"type": "string"}
