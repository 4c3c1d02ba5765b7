"""JSON Schemas of strangers, checked within bounds. Pure.

Nothing is fetched, expressions take linear time, and what would take long, as its checks multiply (`allOf` of itself,
twice, at every level; many members of `enum` for many items), is refused instead of worked through.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from gateway.guards.schema_cost import CHECKS_MOST, PATTERN_MOST_BYTES, Cost, mapping, nodes, pattern_bytes

SCHEMA_MOST_BYTES = 256 * 1024
PATTERNS_MOST = 200
PATTERNS_MOST_BYTES = 4 * 2**20
"""Of all of a schema's, compiled."""

MESSAGE_MOST_CHARS = 300

_REFUSED = ("$dynamicRef", "$recursiveRef")

_encode = msgspec.json.Encoder(order="deterministic").encode


class UnusableSchema(ValueError):
    """It is no schema, or none that can be checked within bounds; the text is for whoever wrote it."""


class Schema:
    """A schema, compiled."""

    def __init__(self, schema: Any) -> None:
        """
        Raises:
            UnusableSchema: see there.
        """
        self._root = schema
        _check(schema, list(nodes(schema)))
        options = jsonschema_rs.RegexOptions(size_limit=PATTERN_MOST_BYTES, dfa_size_limit=PATTERN_MOST_BYTES)
        try:
            self._validator = jsonschema_rs.validator_for(schema, offline=True, mask="…", pattern_options=options)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise UnusableSchema(_first_line(error)) from error

    def fault(self, value: Any) -> str:
        """Why `value` does not keep to it, without its texts; empty where it does."""
        if Cost(self._root).of(value) > CHECKS_MOST:
            return "its checks multiply beyond what is done"
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as failed:
            error = failed
        except ValueError:
            return "it is nested too deeply"
        else:
            return ""
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        return f"at ${place}: {error.message}"[:MESSAGE_MOST_CHARS]


def schema_of(schema: Any) -> Schema:
    """The schema, compiled; the same one for the same schema, as long as it is remembered.

    Raises:
        UnusableSchema: see there.
    """
    try:
        text = _encode(schema)
    except (RecursionError, TypeError) as error:
        raise UnusableSchema("It is nested too deeply.") from error
    if len(text) > SCHEMA_MOST_BYTES:
        raise UnusableSchema(f"It has more than {SCHEMA_MOST_BYTES:,} bytes.")
    return _compiled(text)


@lru_cache(256)
def _compiled(text: bytes) -> Schema:
    return Schema(msgspec.json.decode(text))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:MESSAGE_MOST_CHARS]


def _check(schema: Any, parts: list[Mapping[str, Any]]) -> None:
    if not isinstance(schema, bool | dict):
        raise UnusableSchema("A schema is an object.")
    if any(name in node for node in parts for name in _REFUSED):
        raise UnusableSchema(f"{' and '.join(_REFUSED)} are not supported.")
    references = [node["$ref"] for node in parts if "$ref" in node]
    if not all(isinstance(reference, str) and reference.startswith("#") for reference in references):
        raise UnusableSchema("References may lead to parts of the same schema only, as '#/$defs/address'.")
    if references and any("$id" in node for node in parts if node is not schema):
        raise UnusableSchema("A schema with references may have an $id at its root only.")
    _check_patterns([pattern for node in parts for pattern in _patterns(node)])


def _patterns(node: Mapping[str, Any]) -> list[Any]:
    return [*([node["pattern"]] if "pattern" in node else []), *mapping(node.get("patternProperties"))]


def _check_patterns(patterns: list[Any]) -> None:
    if len(patterns) > PATTERNS_MOST:
        raise UnusableSchema(f"It has {len(patterns)} patterns; at most {PATTERNS_MOST} are checked.")
    size = 0
    for pattern in patterns:
        of_this = pattern_bytes(pattern) if isinstance(pattern, str) else 0
        if of_this > PATTERN_MOST_BYTES:
            raise UnusableSchema("One of its patterns is none, or too large to be checked.")
        size += of_this
        if size > PATTERNS_MOST_BYTES:
            raise UnusableSchema("Its patterns are too large to be checked.")
