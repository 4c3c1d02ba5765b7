"""Events in ArcSight's Common Event Format (CEF, version 0), one a line.

Escapes, as its guide has them: `\\` and `|` in the header, `\\` and `=` in the extension, line ends there as `\\n` and
`\\r`. The format has nothing for other control characters and line separators; they are written as in JSON (`\\u0007`),
after the escaping of the backslash, so that an event is never more than a line and shows what was in it.
"""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from compliance.evidence.formats.rows import AFTER, BEFORE, Row

VENDOR = PRODUCT = "Portcullis"
VERSION = "1"
SEVERITY = {"success": 3, "refused": 6, "failure": 6}
_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_OR_END = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def header_value(text: str) -> str:
    """A text as it stands between two bars."""
    shown = _CONTROL_OR_END.sub(_spelled, text)
    return shown.replace("\\", "\\\\").replace("|", "\\|")


def extension_value(text: str) -> str:
    """A text as it stands after a key."""
    shown = _CONTROL.sub(_spelled, text)
    return shown.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")


def event(row: Row) -> str:
    """One event, without a line end."""
    severity = SEVERITY.get(row.text("outcome"), 5)
    head = (VENDOR, PRODUCT, VERSION, row.text("action") or "redacted", row.text("action") or "redacted", str(severity))
    extension = " ".join(f"{key}={extension_value(value)}" for key, value in _extension(row) if value)
    return f"CEF:0|{'|'.join(header_value(each) for each in head)}|{extension}"


def _extension(row: Row) -> Iterator[tuple[str, str]]:
    yield "rt", str(row.time_ms) if row.time_ms else ""
    yield "externalId", row.text("id")
    yield "act", row.text("action")
    yield "outcome", row.text("outcome")
    yield "reason", row.text("reason")
    yield "suid", row.text("actor_id")
    yield "spriv", row.text("actor_kind")
    yield from _address(row.text("ip"))
    yield "requestClientApplication", row.text("user_agent")
    yield "dvcExternalId", row.origin
    yield from _labelled("cn1", "logIndex", "" if row.index is None else str(row.index))
    yield from _labelled("cn2", "tenant", row.text("tenant_id"))
    yield from _labelled("cs1", "object", f"{row.text('target_kind')} {row.text('target_id')}".strip())
    yield from _labelled("cs2", "before", _json(row.changed(BEFORE)))
    yield from _labelled("cs3", "after", _json(row.changed(AFTER)))
    yield from _labelled("cs4", "requestId", row.text("request_id"))
    yield from _labelled("cs5", "leaf", row.leaf)
    yield from _labelled("cs6", "redacted", " ".join(sorted(row.redacted)))


def _labelled(key: str, label: str, value: str) -> Iterator[tuple[str, str]]:
    if value:
        yield f"{key}Label", label
        yield key, value


def _address(ip: str) -> Iterator[tuple[str, str]]:
    """`src` takes IPv4 only."""
    if not ip:
        return
    if ipaddress.ip_address(ip).version == 4:
        yield "src", ip
    else:
        yield from _labelled("c6a2", "Source IPv6 Address", ip)


def _json(changed: Mapping[str, Any]) -> str:
    return json.dumps(changed, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if changed else ""


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
