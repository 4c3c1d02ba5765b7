"""What all formats render: one event, as its leaf has it, with its place in its log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

BEFORE, AFTER = "before.", "after."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event.

    Args:
        fields: those of its leaf (see `compliance/evidence/leaves.py`); what is empty, or was redacted, is not there.
        origin: the name of its log.
        index: its place there; None where it has none yet.
        leaf: the hash of its leaf, in hex; empty where it is not known.
        redacted: names of fields whose values were destroyed.
    """

    fields: Mapping[str, Any]
    origin: str
    index: int | None = None
    leaf: str = ""
    redacted: tuple[str, ...] = field(default=())

    def text(self, name: str) -> str:
        """A field as text; empty where there is none."""
        value = self.fields.get(name)
        return "" if value is None else str(value)

    def changed(self, prefix: str) -> dict[str, Any]:
        """The changed fields, as they were (`BEFORE`) or as they became (`AFTER`)."""
        start = len(prefix)
        return {name[start:]: value for name, value in self.fields.items() if name.startswith(prefix)}

    @property
    def time_ms(self) -> int:
        """When it happened, in milliseconds since 1970; 0 where that was redacted."""
        text = self.fields.get("occurred_at")
        if not text:
            return 0
        moment = datetime.fromisoformat(text)
        whole = int(moment.replace(microsecond=0, tzinfo=moment.tzinfo or UTC).timestamp())
        return whole * 1000 + moment.microsecond // 1000
