"""The controls that an auditor asks about: what is wanted, and how it stands, computed from what is there.

Each app registers its own in `AppConfig.ready`. What nothing can compute is a statement by somebody named by role, with
an end: `actions/controls.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import structlog
from django.utils import timezone

from compliance.models import ControlStatement

log = structlog.get_logger(__name__)


class State(StrEnum):
    OK = "ok"
    ATTENTION = "attention"
    MISSING = "missing"
    """What is wanted is not there (yet)."""
    FAILED = "failed"
    """It is there, and found that something is wrong."""


WORDS = {
    State.OK: "OK",
    State.ATTENTION: "Needs attention",
    State.MISSING: "Missing",
    State.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a control is asked for, as in `GDPR`, `article 30`."""

    framework: str
    where: str

    def __str__(self) -> str:
        return f"{self.framework}, {self.where}"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a control stands, and why in words for people."""

    state: State
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control.

    Args:
        name: a slug.
        group: what it belongs to, as a heading.
        references: who asks for it.
        wanted: what must be so, in one sentence.
        compute: how it stands; None: it is stated by somebody.
        evidence: the name of the admin's page that shows it (see `django.urls.reverse`), and what the link is called.
    """

    name: str
    title: str
    group: str
    references: tuple[Reference, ...]
    wanted: str
    compute: Callable[[], Finding] | None = None
    evidence: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A control and how it stands now."""

    control: Control
    finding: Finding
    statement: ControlStatement | None = None


_controls: dict[str, Control] = {}


def register(*added: Control) -> None:
    """Adds controls, in `AppConfig.ready`.

    Raises:
        ValueError: there is another one of that name.
    """
    for control in added:
        if _controls.setdefault(control.name, control) is not control:
            raise ValueError(f"there are two controls {control.name}")


def controls() -> list[Control]:
    """All of them, those of a group together."""
    groups = list(dict.fromkeys(each.group for each in _controls.values()))
    return sorted(_controls.values(), key=lambda each: groups.index(each.group))


def control_named(name: str) -> Control | None:
    return _controls.get(name)


def look_at_all() -> list[Looked]:
    """How every control stands now. One that cannot be computed needs attention, and hides no other."""
    statements = {row.control: row for row in ControlStatement.objects.order_by("control", "-id").distinct("control")}
    today = timezone.now().date()
    return [
        Looked(each, _computed(each, each.compute))
        if each.compute
        else Looked(each, stated(statements.get(each.name), today), statements.get(each.name))
        for each in controls()
    ]


def stated(statement: ControlStatement | None, today: date) -> Finding:
    """How a control stands that somebody states."""
    if statement is None:
        return Finding(State.MISSING, "Nobody has stated it yet.")
    if statement.expires_on < today:
        return Finding(State.MISSING, f"What was stated ended on {statement.expires_on}: it has to be stated anew.")
    words = f"Stated by the {statement.role} on {statement.said_at:%Y-%m-%d}, good until {statement.expires_on}."
    soon = (statement.expires_on - today).days <= 30
    return Finding(State.ATTENTION if soon else State.OK, words)


def ok(words: str) -> Finding:
    return Finding(State.OK, words)


def attention(words: str) -> Finding:
    return Finding(State.ATTENTION, words)


def missing(words: str) -> Finding:
    return Finding(State.MISSING, words)


def failed(words: str) -> Finding:
    return Finding(State.FAILED, words)


def _computed(control: Control, compute: Callable[[], Finding]) -> Finding:
    try:
        return compute()
    except Exception as error:  # whatever is wrong with one must not hide how the others stand
        log.warning("a control cannot be computed", control=control.name, error=type(error).__name__)
        return attention("It could not be computed: something that it depends on does not answer. Look again later.")
