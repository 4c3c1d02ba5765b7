"""Which events of a log an export is of."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

TIMES = ("since", "until")
MOST_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """All that is filled in must match. `since` is the first moment, `until` the first one after; both in UTC.

    `action` is a whole one, as `budget.changed`, or all of an object, as `budget.`.
    """

    since: datetime | None = None
    until: datetime | None = None
    action: str = ""
    target_kind: str = ""
    target_id: str = ""
    actor_kind: str = ""
    actor_id: str = ""
    outcome: str = ""

    def __post_init__(self) -> None:
        for name in TIMES:
            if (moment := getattr(self, name)) is not None and moment.tzinfo is None:
                raise ValueError(f"{name} says no time zone")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("until is not after since")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and (len(value) > MOST_CHARACTERS or "\0" in value):
                raise ValueError(f"{field.name} is too long, or no text")

    def as_json(self) -> dict[str, str]:
        """What is filled in, as texts; empty for the whole log."""
        return {name: _text(value) for name, value in asdict(self).items() if value}

    def condition(self) -> Q:
        """The same of rows of the audit log."""
        found = Q()
        for name, value in asdict(self).items():
            match name, value:
                case _, None | "":
                    continue
                case "since", _:
                    found &= Q(occurred_at__gte=value)
                case "until", _:
                    found &= Q(occurred_at__lt=value)
                case "action", str() if value.endswith("."):
                    found &= Q(action__startswith=value)
                case _:
                    found &= Q(**{name: value})
        return found


def from_json(values: dict[str, Any]) -> Filters:
    """What `as_json` has made.

    Raises:
        ValueError, TypeError: it makes no sense.
    """
    read: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in TIMES else value for name, value in values.items()
    }
    return Filters(**read)


def shown(values: dict[str, Any]) -> str:
    """Filters in words."""
    words = {
        "since": "from {} on",
        "until": "before {}",
        "action": "action {}",
        "target_kind": "object {}",
        "target_id": "object's number {}",
        "actor_kind": "by a {}",
        "actor_id": "by number {}",
        "outcome": "outcome {}",
    }
    parts = [words[name].format(_plain(name, value)) for name, value in values.items() if name in words]
    return ", ".join(parts) or "The whole log"


def _plain(name: str, value: str) -> str:
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC" if name in TIMES else value


def _text(value: datetime | str) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
