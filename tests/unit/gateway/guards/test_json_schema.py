"""Schemas are checked, fetch nothing, and cannot be made to take long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.json_schema import UnusableSchema, schema_of
from gateway.guards.schema_cost import Cost

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "boss": {"$ref": "#"}},
    "required": ["name"],
    "additionalProperties": False,
}


def test_what_keeps_to_it_has_no_fault() -> None:
    assert schema_of(PERSON).fault({"name": "Ada", "boss": {"name": "Eve"}}) == ""


@pytest.mark.parametrize(
    ("value", "place"),
    [({}, "$: "), ({"name": "Ada", "boss": {"name": 1}}, "$.boss.name: "), ([], "$: ")],
    ids=["missing", "inside", "another type"],
)
def test_a_fault_has_its_place(value: Any, place: str) -> None:
    assert f"at {place}" in schema_of(PERSON).fault(value)


def test_a_fault_quotes_no_value() -> None:
    assert "Lovelace" not in schema_of(PERSON).fault({"name": "Lovelace"})


def doubling(levels: int) -> dict[str, Any]:
    """A schema of which each level applies the one below twice."""
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels + 1):
        defs[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 2}
    return {"$defs": defs, "$ref": f"#/$defs/d{levels}"}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubling(60), "x"),
        ({"additionalProperties": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}, deep(60)),
        ({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"a": {"$ref": "#"}}}, deep(60)),
        ({"$anchor": "top", "anyOf": [{"additionalProperties": {"$ref": "#top"}}] * 2}, deep(60)),
    ],
    ids=["by levels", "by nesting", "by two names", "by anchors"],
)
def test_references_that_multiply_are_not_followed(schema: Any, value: Any) -> None:
    assert "multiply" in schema_of(schema).fault(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubling(10), "x"),
        (PERSON, {"name": "Ada", "boss": {"name": "Bo", "boss": {"name": "Cy"}}}),
        ({"additionalProperties": {"$ref": "#"}, "items": {"$ref": "#"}}, deep(200)),
        ({"items": {"$ref": "#/$defs/one"}, "$defs": {"one": {"type": "integer"}}}, list(range(100_000))),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "null"}}}, None),
        ({"prefixItems": [{"$ref": "#/prefixItems/1"}, {"type": "integer"}]}, [1, 2]),
    ],
    ids=["levels", "recursion", "any JSON", "a long list", "a quoted pointer", "a pointer into a list"],
)
def test_ordinary_references_are(schema: Any, value: Any) -> None:
    assert schema_of(schema).fault(value) == ""


OBJECTS = [{"a": number} for number in range(2_000)]
NAMES = {f"name{number}": number for number in range(1_000)}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"enum": OBJECTS}}, OBJECTS),
        ({"items": {"const": OBJECTS}}, [OBJECTS] * 500),
        ({"items": {"anyOf": [{"const": each} for each in OBJECTS]}}, OBJECTS),
        ({"items": {"anyOf": [{"required": [name]} for name in NAMES]}}, [{"a": 1} for _ in range(1_000)]),
        ({"items": {"required": list(NAMES)}}, [NAMES] * 5_000 + [{} for _ in range(5_000)]),
        ({"pattern": "[a-z]{1,1000}[0-9]"}, "a" * 300_000),
        ({"allOf": [{"pattern": f"[a-z]{{{least},400}}[0-9]"} for least in range(1, 60)]}, "a" * 10_000),
        ({"patternProperties": {f"[0-9]{{{least},300}}b": {} for least in range(1, 60)}}, {"1" * 10_000: 1}),
        ({"propertyNames": {"pattern": "[a-z]{1,1000}[0-9]"}}, {"a" * 300_000: 1}),
        ({"items": {"multipleOf": 1e-300}}, [1e300] * 10_000),
        (
            {"allOf": [{"properties": {name: {}}} for name in NAMES], "unevaluatedProperties": False},
            NAMES,
        ),
    ],
    ids=[
        *("members", "a constant", "ways", "ways of objects", "names", "a pattern", "patterns", "patterns of names"),
        *("a pattern of all names", "divisions", "what others looked at"),
    ],
)
def test_what_takes_long_without_references_is_not_worked_through(schema: Any, value: Any) -> None:
    assert "multiply" in schema_of(schema).fault(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"enum": [f"word{number}" for number in range(500)]}}, ["word499"] * 5_000),
        ({"items": {"pattern": r"^\d{4}-\d{2}-\d{2}$"}}, ["2026-11-22"] * 5_000),
        ({"pattern": "^.{1,500}$"}, "x" * 500),
        ({"items": {"required": ["a"], "properties": {"a": {"type": "integer"}}}}, OBJECTS * 10),
        ({"uniqueItems": True}, OBJECTS),
        ({"items": {"anyOf": [{"type": "string"}, {"type": "object"}]}}, OBJECTS * 10),
    ],
    ids=["words", "dates", "a long text", "a list of objects", "no two alike", "one or the other"],
)
def test_large_answers_are_checked(schema: Any, value: Any) -> None:
    assert schema_of(schema).fault(value) == ""


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"properties": {"a": {"$ref": "other.json"}}},
        {"$ref": "#/$defs/missing"},
        {"$schema": "https://acme.example/own"},
        {"$dynamicRef": "#x"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$id": "https://acme.example/a"}}},
        {"pattern": "("},
        {"pattern": "(?=a)b"},
        {"pattern": "a{1000}{1000}"},
        {"patternProperties": {f"p{number}": {} for number in range(201)}},
        {"allOf": [{"pattern": f"[a-z]{{{least},1000}}"} for least in range(1, 100)]},
        {"description": "x" * 300_000},
        "a text",
        None,
    ],
    ids=[
        *("no schema", "http", "file", "relative", "nowhere", "own dialect", "dynamic", "renamed", "no pattern"),
        *("look-ahead", "huge pattern", "many patterns", "much of patterns", "large", "text", "nothing"),
    ],
)
def test_what_cannot_be_checked_is_refused(schema: Any) -> None:
    with pytest.raises(UnusableSchema):
        schema_of(schema)


def test_properties_may_be_called_as_keywords_are() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}, "items": {"type": "integer"}}}
    assert schema_of(schema).fault({"$ref": "http://acme.example", "$id": "x", "items": 1}) == ""


def test_patterns_take_linear_time_and_are_kept_to() -> None:
    schema = schema_of({"pattern": "^(a+)+$"})
    assert schema.fault("a" * 100_000) == ""
    assert schema.fault("a" * 100_000 + "b") != ""


def test_equal_schemas_are_compiled_once() -> None:
    assert schema_of({"type": "object", "minProperties": 1}) is schema_of({"minProperties": 1, "type": "object"})


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_has_a_cost_that_its_size_bounds(value: Any) -> None:
    anything = {"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}}
    cost = Cost(anything).of(value)
    assert 1 <= cost <= 2 * size(value) + 1


def size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(size, inner)) + (len(value) // 16 if isinstance(value, str) else 0)
