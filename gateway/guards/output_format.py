"""Whether an answer has the form that was asked for: JSON, or what a JSON Schema describes, and no longer than allowed.

Asked for by the request's `response_format`, or by policy of every answer. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.guards.base import Action, Direction, Finding, Guard, Guarding, Judged, Kind, Setting, Terms
from gateway.guards.json_schema import UnusableSchema, schema_of

NAME = "output_format"

CHARS_MOST = 10_000_000
_CONTENT = re.compile(r"\.content(\[\d+\](\.text)?)?$")
"""Places of what is meant for the reader; not refusals, reasoning, or arguments of tools."""

_decode = msgspec.json.Decoder().decode


class Fault(Struct, frozen=True):
    """What is wrong with an answer: the rule, and words for the model that is asked again; they quote nothing."""

    rule: str
    message: str


class Expected(Struct, frozen=True):
    """The form that answers must have. `json`: any JSON; `only_objects`: an object; `schemas`: all of these."""

    json: bool = False
    only_objects: bool = False
    schemas: tuple[Any, ...] = ()
    chars_most: int = CHARS_MOST


def expected(request: Mapping[str, Any], settings: Mapping[str, Any]) -> Expected | None:
    """What is expected of the answers to a request under those settings; None where they are free."""
    wanted = request.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    schemas = [schema for schema in (_schema_in(wanted), settings.get("schema")) if schema is not None]
    only_objects = kind == "json_object"
    json = bool(only_objects or schemas or kind == "json_schema" or settings.get("json"))
    chars_most = settings.get("max_chars") or CHARS_MOST
    if not json and chars_most == CHARS_MOST:
        return None
    return Expected(json=json, only_objects=only_objects, schemas=tuple(schemas), chars_most=chars_most)


def _schema_in(wanted: Any) -> Any:
    described = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    return described.get("schema") if isinstance(described, Mapping) else None


def may_retry(guarding: Guarding | None, request: Mapping[str, Any]) -> Expected | None:
    """What is expected of the answer, where policy says that the model is asked again if it does not keep to it."""
    terms = guarding.of(NAME) if guarding is not None else None
    if terms is None or not terms.settings.get("retry") or Direction.ANSWER not in terms.directions:
        return None
    return expected(request, terms.settings)


def fault_of(text: str, wanted: Expected) -> Fault | None:
    """The first thing that is wrong with an answer."""
    if len(text) > wanted.chars_most:
        return Fault("too_long", f"it has {len(text)} characters, and at most {wanted.chars_most} are allowed")
    if not wanted.json:
        return None
    try:
        value = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Fault("not_json", "it is not JSON: send JSON alone, without any text or code fence around it")
    if wanted.only_objects and not isinstance(value, dict):
        return Fault("not_an_object", "it is not a JSON object")
    for schema in wanted.schemas:
        try:
            if fault := schema_of(schema).fault(value):
                return Fault("schema_violated", f"it does not keep to the JSON Schema: {fault}")
        except UnusableSchema:
            return Fault("schema_unusable", "its JSON Schema cannot be checked")
    return None


def judge(judged: Judged) -> Sequence[Finding]:
    """Of a prompt whether what it asks for can be checked; of an answer whether it has the form."""
    wanted = expected(judged.request, judged.settings)
    if wanted is None:
        return []
    if judged.direction is Direction.PROMPT:
        return [Finding(NAME, "schema_unusable")] if _unusable(wanted.schemas) else []
    contents = [text for text in judged.texts if _CONTENT.search(text.place) and text.text]
    faults = ((text.place, fault_of(text.text, wanted)) for text in contents)
    return [Finding(NAME, fault.rule, place=place) for place, fault in faults if fault is not None]


def _unusable(schemas: Sequence[Any]) -> bool:
    try:
        for schema in schemas:
            schema_of(schema)
    except UnusableSchema:
        return True
    return False


def _check_schema(schema: Any) -> None:
    schema_of(schema)


def holds_streams(terms: Terms | None, request: Mapping[str, Any]) -> bool:
    """Whether a streamed answer must be there as a whole before any of it may go out."""
    if terms is None or Direction.ANSWER not in terms.directions:
        return False
    return (terms.action >= Action.BLOCK or bool(terms.settings.get("retry"))) and expected(
        request, terms.settings
    ) is not None


GUARD = Guard(
    name=NAME,
    title="Form of answers",
    help=(
        "Holds answers against the JSON or JSON Schema that the request asks for in response_format, or that is set "
        "here for all of them. To block, or to ask once more, a stream is kept back until it is complete. A request "
        "whose schema cannot be checked is found in the prompt."
    ),
    actions=(Action.OFF, Action.LOG, Action.FLAG, Action.BLOCK),
    judge=judge,
    rule_names=("too_long", "not_json", "not_an_object", "schema_violated", "schema_unusable"),
    settings=(
        Setting(
            name="json", title="always JSON", kind=Kind.FLAG, default=False, help="Also where nobody asked for it."
        ),
        Setting(
            name="schema",
            title="JSON Schema",
            kind=Kind.OBJECT,
            check=_check_schema,
            help="All answers must keep to it. Its references may lead to its own parts only.",
        ),
        Setting(
            name="max_chars", title="longest answer", kind=Kind.WHOLE, least=1, most=CHARS_MOST, help="Characters."
        ),
        Setting(
            name="retry",
            title="ask once more",
            kind=Kind.FLAG,
            default=False,
            help="The model is told what was wrong and asked again, once; both answers are charged.",
        ),
    ),
)
