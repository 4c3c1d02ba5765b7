"""What an event changed, as people read it: a line for each field, lists compared by element."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from compliance.models import AuditEvent

ERASED = "erased"
NANO = 10**9
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|[+-]\d\d:\d\d)")
_SPELLED = {"ip": "IP", "sha256": "SHA-256", "url": "URL"}
_NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field: `kind` is added, removed, changed, or erased. Of lists only the elements that differ are told."""

    name: str
    kind: str
    before: str = ""
    after: str = ""
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    same: int = 0


def lines_of(event: AuditEvent) -> list[Line]:
    """The fields of an event, by name; those that were erased are told as such, and those that stayed empty are not."""
    erased = {name.partition(".")[2] for name in event.redacted if name.startswith(("before.", "after."))}
    names = sorted({*event.before, *event.after, *erased})
    return [
        _line(name, event.before, event.after, is_erased=name in erased)
        for name in names
        if name in erased or event.before.get(name) not in _NOTHING or event.after.get(name) not in _NOTHING
    ]


def erased_columns_of(event: AuditEvent) -> list[str]:
    """The columns beside before and after whose values were erased."""
    return sorted(name for name in event.redacted if "." not in name)


def text_of(value: Any) -> str:
    """A value for people."""
    match value:
        case None | "" | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(text_of, value))
        case _:
            return str(value)


def named(field: str) -> str:
    """A field's name for people: `used_nano` is "used", `tenant_id` is "tenant"."""
    words = field.removesuffix("_nano").removesuffix("_id").replace("_", " ")
    return " ".join(_SPELLED.get(word, word) for word in words.split(" "))


def _line(field: str, before: Mapping[str, Any], after: Mapping[str, Any], *, is_erased: bool) -> Line:
    name = named(field)
    if is_erased:
        return Line(name=name, kind=ERASED)
    was, became = (_plain(field, values.get(field)) for values in (before, after))
    if isinstance(was, list) and isinstance(became, list) and was and became:
        return _of_lists(name, was, became)
    kind = "added" if was in _NOTHING else "removed" if became in _NOTHING else "changed"
    return Line(name=name, kind=kind, before=text_of(was), after=text_of(became))


def _plain(field: str, value: Any) -> Any:
    """Billionths as the units that they are of, and moments to the second."""
    if field.endswith("_nano") and isinstance(value, int):
        return f"{(Decimal(value) / NANO).normalize():f}"
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return value


def _of_lists(name: str, was: Sequence[Any], became: Sequence[Any]) -> Line:
    gone, new = _without(was, became), _without(became, was)
    if not gone and not new:  # another order
        return Line(name=name, kind="changed", before=text_of(was), after=text_of(became))
    return Line(name=name, kind="changed", gone=gone, new=new, same=len(became) - len(new))


def _without(these: Sequence[Any], those: Sequence[Any]) -> tuple[str, ...]:
    rest = list(those)
    found = []
    for one in these:
        if one in rest:
            rest.remove(one)
        else:
            found.append(text_of(one))
    return tuple(found)
