"""Events as CSV (RFC 4180) that runs nothing where a spreadsheet opens it.

A spreadsheet takes a cell for a formula by how it begins, so such a cell gets an apostrophe before it. Where the
separator is `;` or a tab, cells begin behind those and behind line ends, whatever is quoted: so what follows them
inside a cell is guarded alike. What begins with an apostrophe gets a second: so taking one away at each of these places
gives back what was there. Source: OWASP, CSV Injection.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from compliance.evidence.formats.rows import AFTER, BEFORE, Row

COLUMNS = (
    *("index", "id", "occurred_at", "tenant_id", "actor_kind", "actor_id", "action", "target_kind", "target_id"),
    *("outcome", "reason", "request_id", "ip", "user_agent", "version", "before", "after", "redacted", "leaf"),
)
_FORMULA = "=+-@|%\uff1d\uff0b\uff0d\uff20"
"""Also the full-width forms of the first four, which some spreadsheets take for the same."""
_FIRST = "'\t\r\n\0"
_ENDS = ";\t\r\n"
_PARTS = re.compile(f"(?<=[{_ENDS}])[^{_ENDS}]+")
_GUARDS = re.compile(f"((?:^|[{_ENDS}]))'")


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula, nor what follows a separator in it."""
    if not text:
        return text
    whole = _PARTS.sub(_guarded_part, text)
    return f"'{whole}" if text[0] in _FIRST or _is_formula(text) else whole


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return _GUARDS.sub(r"\1", cell)


def header() -> str:
    """The first line."""
    return line(COLUMNS)


def event(row: Row) -> str:
    """One event's line."""
    own = {
        "index": "" if row.index is None else str(row.index),
        "before": _json(row.changed(BEFORE)),
        "after": _json(row.changed(AFTER)),
        "redacted": guarded(" ".join(sorted(row.redacted))),
        "leaf": row.leaf,
    }
    return line([own[name] if name in own else guarded(row.text(name)) for name in COLUMNS])


def line(cells: Any) -> str:
    """Cells as one line, with its end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _guarded_part(found: re.Match[str]) -> str:
    part = found.group()
    return f"'{part}" if part[0] == "'" or _is_formula(part, also='"') else part


def _is_formula(text: str, *, also: str = "") -> bool:
    """Whether it begins like a formula, behind blanks and what `also` counts as such."""
    begins = next((each for each in text if each not in also and not _is_blank(each)), "")
    return bool(begins) and begins in _FORMULA


def _is_blank(char: str) -> bool:
    """Whether nothing is seen of it: white space, and what controls and formats."""
    return not char.isalnum() and (char.isspace() or unicodedata.category(char)[0] in "CZ")


def _json(changed: Mapping[str, Any]) -> str:
    """Begins with a brace, so that it needs no guard; where one were due inside, `;` is written as JSON also may."""
    text = json.dumps(changed, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if changed else ""
    return text if ";" not in text or guarded(text) == text else text.replace(";", "\\u003b")
