"""What holding a value against a JSON Schema may amount to, counted beforehand: the checker is native code, which no
alarm ends. Pure.

Counted in checks of some 30 ns. Where a schema's references are exponential, what is counted is, and the counting is
not.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

CHECKS_MOST = 1_000_000
"""Some 30 ms; with expressions made for it five times that."""

PAIRS_MOST = 100_000
"""Of a subschema and an array or object that it is held against; so many are looked at beforehand."""

PATTERN_MOST_BYTES = 2**20
"""Of an expression, compiled."""

LISTS = ("allOf", "anyOf", "oneOf")
SINGLE = ("not", "if", "then", "else")
MAPS = ("dependentSchemas", "dependencies")
OF_MEMBERS = ("additionalProperties", "unevaluatedProperties")
OF_ITEMS = ("items", "additionalItems", "contains", "unevaluatedItems")
DEFINITIONS = ("$defs", "definitions")
_BEYOND = CHECKS_MOST + 1
_PATTERN_SHIFT = 10
_LARGE = 1e15
_TINY = 1e-9
_ODD_DIVISION = 1_000


def nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every subschema that is an object, the schema itself first."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += _parts(node)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@lru_cache(1_000)
def pattern_bytes(pattern: str) -> int:
    """About how large an expression is compiled, which its steps for each character grow with: up to twice as much as
    it is. More than `PATTERN_MOST_BYTES` where it cannot be compiled."""
    size = 512
    while size <= PATTERN_MOST_BYTES:
        options = jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=size)
        try:
            jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=options)
        except ValueError:
            size *= 2
        else:
            return size
    return size


def _parts(node: Mapping[str, Any]) -> Iterator[Any]:
    for name in (*LISTS, "prefixItems", "items"):
        if isinstance(node.get(name), list):
            yield from node[name]
    for name in (*SINGLE, *OF_MEMBERS, *OF_ITEMS, "propertyNames", "contentSchema"):
        yield node.get(name)
    for name in (*MAPS, *DEFINITIONS, "properties", "patternProperties"):
        yield from mapping(node.get(name)).values()


class Cost:
    """How many checks a value may take, where nothing is decided early. Each pair of a subschema and a part of the
    value is worked out once."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}
        self._anchors = {node["$anchor"]: node for node in nodes(root) if isinstance(node.get("$anchor"), str)}

    def of(self, value: Any) -> int:
        """At most one more than `CHECKS_MOST`."""
        try:
            return min(self._of(self._root, value), _BEYOND)
        except RecursionError:
            return _BEYOND

    def _of(self, node: Any, value: Any) -> int:
        if not isinstance(node, dict):
            return 1
        pair = (id(node), _kind(value))
        if pair in self._known:
            return self._known[pair]
        if len(self._known) >= PAIRS_MOST:
            return _BEYOND
        self._known[pair] = 0  # what leads back to itself on the spot is not gone through again
        total = _own(node, value)
        on_the_spot = self._sum(self._beside(node, value), total)
        total = min(total + on_the_spot * _times(node, value), _BEYOND)
        total += self._sum(self._within(node, value), total)
        self._known[pair] = total = min(total, _BEYOND)
        return total

    def _sum(self, applied: Iterator[tuple[Any, Any]], before: int) -> int:
        total = 0
        for part, inner in applied:
            if before + total >= _BEYOND:
                break
            total += self._of(part, inner)
        return total

    def _beside(self, node: Mapping[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
        """The parts of a schema that are held against the value itself."""
        if "$ref" in node:
            yield self._target(node["$ref"]), value
        for name in LISTS:
            yield from ((part, value) for part in node.get(name) or ())
        yield from ((node[name], value) for name in SINGLE if name in node)
        for name in MAPS:
            yield from ((part, value) for part in mapping(node.get(name)).values())

    def _within(self, node: Mapping[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
        """Those that are held against what is in it, each with that."""
        if isinstance(value, dict):
            yield from _of_members(node, value)
        elif isinstance(value, list):
            yield from _of_items(node, value)

    def _target(self, reference: str) -> Any:
        """Where a reference leads; None where that is nowhere, which the compiler has refused."""
        pointer = reference.removeprefix("#")
        if not pointer.startswith("/"):
            return self._anchors.get(pointer) if pointer else self._root
        node = self._root
        for part in pointer[1:].split("/"):
            name = _unquoted(part)
            try:
                node = node[int(name)] if isinstance(node, list) else node[name]
            except (KeyError, IndexError, ValueError, TypeError):
                return None
        return node


def _kind(value: Any) -> int:
    """What the cost of a value depends on: which it is, for strings about how long, for numbers whether it is large."""
    if isinstance(value, dict | list):
        return id(value)
    if isinstance(value, str):
        return -2 - len(value).bit_length()
    return -1 if isinstance(value, int | float) and abs(value) > _LARGE else 0


def _own(node: Mapping[str, Any], value: Any) -> int:
    """What a schema's own keywords take."""
    total = 1 + _of_wanted(node, value)
    if isinstance(value, str):
        chars = 1 << len(value).bit_length()
        if isinstance(node.get("pattern"), str):
            total += 1 + _steps(node["pattern"], chars)
        return total + chars // 64 + (chars if "format" in node else 0)
    if isinstance(value, dict):
        return total + _of_names(node, value)
    if isinstance(value, list):
        return total + (2 * _weight(value) if node.get("uniqueItems") else 0)
    divisor = node.get("multipleOf")
    if isinstance(divisor, int | float) and (_kind(value) or abs(divisor) < _TINY):
        total += _ODD_DIVISION
    return total


def _of_wanted(node: Mapping[str, Any], value: Any) -> int:
    """Of `enum` and `const`, whose members are compared one by one, to their depth where the value has any."""
    wanted = [node[name] for name in ("enum", "const") if name in node]
    if isinstance(value, dict | list):
        return sum(2 * _weight(each) for each in wanted)
    return sum(len(each) // 4 + 1 if isinstance(each, list) else 1 for each in wanted)


def _of_names(node: Mapping[str, Any], value: Mapping[str, Any]) -> int:
    demanded = node.get("required")
    total = len(demanded) // 2 if isinstance(demanded, list) else 0
    total += len(mapping(node.get("properties"))) // 8
    for name in ("dependentRequired", "dependencies"):
        total += sum(len(each) for each in mapping(node.get(name)).values() if isinstance(each, list))
    if patterns := mapping(node.get("patternProperties")):
        chars = sum(len(name) + 1 for name in value)
        total += sum(len(value) + _steps(pattern, chars) for pattern in patterns)
    return total


def _steps(pattern: str, chars: int) -> int:
    return chars * pattern_bytes(pattern) >> _PATTERN_SHIFT


def _times(node: Mapping[str, Any], value: Any) -> int:
    """How often what other keywords have looked at is gone through again."""
    asks = isinstance(value, dict | list) and ("unevaluatedProperties" in node or "unevaluatedItems" in node)
    return 1 + len(value) if asks else 1


def _weight(value: Any) -> int:
    """Its parts, counted no further than is of interest."""
    total, waiting = 0, [value]
    while waiting and total <= CHECKS_MOST:
        each = waiting.pop()
        total += 1
        if isinstance(each, str):
            total += len(each) // 32
        elif isinstance(each, dict):
            total += len(each)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return total


def _of_members(node: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    named = mapping(node.get("properties"))
    yield from ((named[name], inner) for name, inner in value.items() if name in named)
    parts = [
        *mapping(node.get("patternProperties")).values(),
        *(node[name] for name in OF_MEMBERS if name in node),
    ]
    yield from ((part, inner) for part in parts if part is not False for inner in value.values())
    if "propertyNames" in node:
        yield from ((node["propertyNames"], name) for name in value)


def _of_items(node: Mapping[str, Any], value: list[Any]) -> Iterator[tuple[Any, Any]]:
    for name in ("prefixItems", "items"):
        if isinstance(node.get(name), list):
            yield from zip(node[name], value, strict=False)
    for name in OF_ITEMS:
        if isinstance(node.get(name), dict):
            yield from ((node[name], inner) for inner in value)


def _unquoted(part: str) -> str:
    """A part of a JSON pointer in a URI fragment (RFC 6901, section 6)."""
    return unquote(part).replace("~1", "/").replace("~0", "~")
