"""What an event is in its tree: a hash over commitments to its fields, so that a field can be dropped later.

A field's commitment is SHA-256(salt | name | 0x00 | canonical JSON of the value); the leaf is SHA-256(0x00 | canonical
JSON of {name: commitment in hex}), with names in the order of RFC 8785. Dropping a field destroys its value and its
salt and keeps the commitment: the leaf stays what it was, and nothing can be guessed from it. Pure, standard library
only.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, NamedTuple

SALT_BYTES = 16
UNSALTED_VERSION = 1
"""Rows of this version were written before there were salts, and may hold floats."""

ALWAYS = ("id", "occurred_at", "version")
"""Columns that the database or the model fills, and that no event is without."""
TEXTS = (
    *("actor_kind", "actor_id", "action", "target_kind", "target_id"),
    *("outcome", "reason", "request_id", "ip", "user_agent"),
)
COLUMNS = (*ALWAYS, "tenant_id", *TEXTS, "before", "after", "salts", "redacted")
"""What has to be read of a row to know its leaf."""

_SURROGATE = re.compile(r"(?<![A-Za-z0-9_])eu_[a-z2-7]{24}(?![A-Za-z0-9_])")  # as compliance/surrogates.py makes them


class MalformedEvent(ValueError):
    """The row is none that this project has written: its leaf cannot be known."""


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the event that a row (of `COLUMNS`) holds: name to JSON value.

    Empty columns are left out; `before` and `after` give a field for each of their names, as in `before.status`.

    Raises:
        MalformedEvent: a value is of no kind that is written.
    """
    fields: dict[str, Any] = {"id": row["id"], "occurred_at": _time(row["occurred_at"]), "version": row["version"]}
    if row["tenant_id"] is not None:
        fields["tenant_id"] = row["tenant_id"]
    for name in TEXTS:
        if value := row[name]:
            fields[name] = str(value)
    old = row["version"] == UNSALTED_VERSION
    for side in ("before", "after"):
        values = row[side]
        if not isinstance(values, dict):
            raise MalformedEvent(f"{side} holds no names")
        for name, value in values.items():
            fields[f"{side}.{name}"] = without_floats(value) if old else value
    return fields


def count_of(row: Mapping[str, Any]) -> int:
    """How many fields `fields_of` gives for a row that is about to be inserted, without the columns of `ALWAYS`."""
    columns = sum(1 for name in TEXTS if row[name]) + (row["tenant_id"] is not None)
    return len(ALWAYS) + columns + len(row["before"]) + len(row["after"])


def commitments(fields: Mapping[str, Any], salts: bytes, redacted: Mapping[str, str]) -> dict[str, str]:
    """Name to commitment (hex), of those that are there and of those that were dropped, in the order of the leaf.

    Args:
        salts: 16 bytes for each of `fields`, in the order of `ordered(fields)`; none for version 1.

    Raises:
        MalformedEvent: the salts are not as many as the fields, or a dropped field is there.
    """
    found = dict(zip(_shape(tuple(fields)).names, _digests(fields, salts), strict=True))
    if not redacted:
        return found
    if not redacted.keys().isdisjoint(found):
        raise MalformedEvent("a field that was dropped is there")
    found.update(redacted)
    return {name: found[name] for name in ordered(found)}


def leaf_hash(committed: Mapping[str, str]) -> bytes:
    """The leaf, from what `commitments` gives; its order is taken as it is."""
    inside = '","'.join([_in_leaf(name) + digest for name, digest in committed.items()])
    return sha256(b'\x00{"' + inside.encode() + b'"}').digest()


def leaf_of(row: Mapping[str, Any]) -> bytes:
    """The leaf of a row of `COLUMNS`.

    Raises:
        MalformedEvent: no event of this project looks so.
    """
    fields, salts = fields_of(row), bytes(row["salts"])
    if row["redacted"]:
        return leaf_hash(commitments(fields, salts, row["redacted"]))
    shape = _shape(tuple(fields))
    inside = '","'.join(map(str.__add__, shape.in_leaf, _digests(fields, salts)))
    return sha256(b'\x00{"' + inside.encode() + b'"}').digest()


def ordered(names: Iterable[str]) -> list[str]:
    """As RFC 8785 has it: by UTF-16 code units. Those of ASCII compare alike by code points."""
    listed = sorted(names)
    return listed if "".join(listed).isascii() else sorted(listed, key=_by_code_units)


def canonical(value: Any) -> bytes:
    """RFC 8785, of texts, whole numbers, booleans, null, lists and objects.

    Raises:
        MalformedEvent: it holds something else; floats become texts before they are written.
    """
    return (str(value) if type(value) is int else _text_of(value)).encode()


def subjects_of(fields: Mapping[str, Any]) -> list[str]:
    """The surrogates that the fields name, sorted: what the column `subjects` holds."""
    return subjects_in(
        value
        for name, value in fields.items()
        if name == "target_id" or name == "reason" or name.startswith(("before.", "after."))
    )


def subjects_in(values: Iterable[Any]) -> list[str]:
    """The surrogates in JSON values, sorted, each once."""
    return sorted({found for value in values for found in _named(value)})


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "eu_" in value:
            yield from _SURROGATE.findall(value)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _named(name)
            yield from _named(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _named(each)


def without_floats(value: Any) -> Any:
    """The same JSON value with texts in the place of floats, which not everybody writes alike."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Mapping):
        return {name: without_floats(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_floats(each) for each in value]
    return value


def _text_of(value: Any) -> str:
    match value:
        case str():
            return encode_basestring(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return int.__repr__(value)
        case Mapping():
            return "{" + ",".join(f"{encode_basestring(name)}:{_text_of(value[name])}" for name in ordered(value)) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text_of, value)) + "]"
        case _:
            raise MalformedEvent(f"{type(value).__name__} is nothing that an event holds")


def _time(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def _by_code_units(name: str) -> bytes:
    return name.encode("utf-16-be")


class _Shape(NamedTuple):
    """What the names of an event's fields come to, in their order."""

    names: tuple[str, ...]
    in_commitment: tuple[bytes, ...]
    in_leaf: tuple[str, ...]


@lru_cache(maxsize=1024)
def _shape(names: tuple[str, ...]) -> _Shape:
    inside = tuple(ordered(names))
    return _Shape(inside, tuple(name.encode() + b"\x00" for name in inside), tuple(map(_in_leaf, inside)))


def _digests(fields: Mapping[str, Any], salts: bytes) -> list[str]:
    names, prefixes, _ = _shape(tuple(fields))
    texts = [
        encode_basestring(value).encode() if type(value) is str else canonical(value)
        for value in map(fields.__getitem__, names)
    ]
    if len(salts) == SALT_BYTES * len(names):
        at = range(0, len(salts), SALT_BYTES)
        return [
            sha256(salts[i : i + SALT_BYTES] + prefix + text).hexdigest()
            for i, prefix, text in zip(at, prefixes, texts, strict=True)
        ]
    if salts or fields.get("version") != UNSALTED_VERSION:
        raise MalformedEvent(f"{len(salts)} bytes of salts for {len(names)} fields")
    return [sha256(prefix + text).hexdigest() for prefix, text in zip(prefixes, texts, strict=True)]


def _in_leaf(name: str) -> str:
    return encode_basestring(name)[1:] + ':"'
