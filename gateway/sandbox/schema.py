"""Makes a small valid instance of a JSON schema, for structured answers and for the arguments of tool calls.

Covers what function definitions and structured outputs use. A `pattern` is not honoured.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

# A schema may require itself without end; no real answer is nested this deep.
MAX_DEPTH = 24

_STRINGS_BY_FORMAT = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "person@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance_of(schema: Schema) -> Any:
    """Return the same small valid value every time: required properties only, `null` where it is allowed."""
    return _value(schema, root=schema, depth=0)


def _value(schema: Schema, *, root: Schema, depth: int) -> Any:
    if depth > MAX_DEPTH or not isinstance(schema, Mapping):  # `true` is a schema too: anything goes
        return None
    if "$ref" in schema:
        return _value(_referenced(schema["$ref"], root), root=root, depth=depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _value(_smallest(schema[union]), root=root, depth=depth + 1)
    if "allOf" in schema:
        return _merged([_value(part, root=root, depth=depth + 1) for part in schema["allOf"]])
    return _typed(schema, root=root, depth=depth)


def _typed(schema: Schema, *, root: Schema, depth: int) -> Any:
    match _type(schema):
        case "object":
            properties = schema.get("properties", {})
            return {
                name: _value(properties.get(name, {}), root=root, depth=depth + 1)
                for name in schema.get("required", ())
            }
        case "array":
            items = [*schema.get("prefixItems", ())]
            items += [schema.get("items", {})] * (schema.get("minItems", 0) - len(items))
            return [_value(item, root=root, depth=depth + 1) for item in items]
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _type(schema: Schema) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        return "null" if "null" in declared else str(declared[0])
    if declared is None and "properties" in schema:
        return "object"
    return str(declared)


def _string(schema: Schema) -> str:
    text = _STRINGS_BY_FORMAT.get(schema.get("format", ""), "example")
    return text.ljust(schema.get("minLength", 0), "e")[: schema.get("maxLength")]


def _number(schema: Schema) -> int | float:
    highest = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - 1)
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", min(0, highest) - 1) + 1)
    step = schema.get("multipleOf", 1)
    number: int | float = math.ceil(lowest / step) * step
    return number if number <= highest else lowest


def _smallest(options: list[Schema]) -> Schema:
    """Choose `null` where it is an option: that also ends schemas that refer to themselves."""
    return next((option for option in options if option.get("type") == "null"), options[0])


def _merged(values: list[Any]) -> Any:
    if all(isinstance(value, dict) for value in values):
        return {name: value for part in values for name, value in part.items()}
    return values[0]


def _referenced(pointer: str, root: Schema) -> Schema:
    """Follow a JSON pointer within the document (`#/$defs/Name`); anything else allows any value."""
    found: Any = root
    for part in pointer.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
    return cast(Schema, found)
