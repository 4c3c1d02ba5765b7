"""Syslog messages (RFC 5424) in frames that count octets (RFC 6587, 3.4.1; RFC 5425, 4.3). Pure.

What receivers sort by is in the structured data, too: log, place, event, action, outcome.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

FACILITY = 13
"""log audit (RFC 5424, table 1)."""
WARNING, NOTICE, INFORMATIONAL = 4, 5, 6
SEVERITY = {"success": INFORMATIONAL, "refused": WARNING, "failure": WARNING}
APP_NAME = "portcullis"
SD_ID = "portcullis@32473"
"""32473 is the enterprise number for what has none of its own (RFC 5612)."""
BOM = b"\xef\xbb\xbf"
NIL = "-"
_NOT_PRINTABLE = re.compile("[^!-~]")
_ESCAPED = re.compile(r'(["\\\]])')


def message(
    text: str, *, at: datetime | None, host: str, kind: str, outcome: str, parameters: Mapping[str, str]
) -> bytes:
    """One message, without its frame.

    Args:
        text: what it says.
        at: when it happened.
        host: which installation says it.
        kind: of the message, by which receivers may sort (MSGID): the action.
        outcome: as in the audit log; it decides the severity.
        parameters: of the structured data, by name; empty ones are left out.
    """
    priority = FACILITY * 8 + SEVERITY.get(outcome, NOTICE)
    when = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else NIL
    header = f"<{priority}>1 {when} {_word(host, 255)} {APP_NAME} {NIL} {_word(kind, 32)} {_data(parameters)} "
    body = _encoded(text)
    # ASCII needs no mark and is read by everything; other texts are UTF-8 by their mark only (RFC 5424, 6.4).
    return _encoded(header) + (body if body.isascii() else BOM + body)


def framed(message: bytes) -> bytes:
    """A message after its length in octets: whatever is in it, the next one is found."""
    return b"%d %s" % (len(message), message)


def _data(parameters: Mapping[str, str]) -> str:
    told = "".join(f' {name}="{_parameter(value)}"' for name, value in parameters.items() if value)
    return f"[{SD_ID}{told}]" if told else NIL


def _parameter(value: str) -> str:
    return _ESCAPED.sub(r"\\\1", value)


def _word(text: str, most: int) -> str:
    """A field of the header: printable ASCII without spaces."""
    return _NOT_PRINTABLE.sub("_", text)[:most] or NIL


def _encoded(text: str) -> bytes:
    """UTF-8, with a mark in place of half a character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
