"""The box in which a policy is tried out: what it asks for, and what it shows. Its texts are kept nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from gateway import guard_trials
from gateway.admin.guard_rules import ROLES
from gateway.guards import registry
from gateway.guards.base import Action, Direction, Role
from gateway.guards.verdicts import Outcome
from gateway.models import GuardDecision, GuardPolicy, GuardRule

LONGEST = 20_000


class TryForm(forms.Form):
    """A text, and where it would stand."""

    try_direction = forms.ChoiceField(
        label="It is",
        required=False,
        choices=[(Direction.PROMPT.value, "in a prompt"), (Direction.ANSWER.value, "the answer")],
        widget=UnfoldAdminSelectWidget,
    )
    try_role = forms.ChoiceField(
        label="From",
        required=False,
        choices=[(role.value, title) for role, title in ROLES.items()],
        initial=Role.USER.value,
        widget=UnfoldAdminSelectWidget,
    )
    try_text = forms.CharField(
        label="Text",
        required=False,
        max_length=LONGEST,
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 5, "autocomplete": "off", "spellcheck": "false", "placeholder": "Write or paste something."}
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the box shows. `pieces`: the text, each piece with what was found in it, if anything."""

    verdict: str
    tone: str
    lines: Sequence[dict[str, Any]]
    pieces: Sequence[tuple[str, str]]
    outgoing: str | None
    unasked: str


def tried(form: TryForm, policy: GuardPolicy, rules: Sequence[GuardRule]) -> Shown:
    """What the policy makes of the text in the form."""
    asked = form.cleaned_data
    direction, role = Direction(asked["try_direction"] or Direction.PROMPT), Role(asked["try_role"] or Role.USER)
    if direction == Direction.ANSWER:
        role = Role.ASSISTANT
    trial = guard_trials.run(policy, rules, text=asked["try_text"], role=role, direction=direction)
    return Shown(
        verdict=_verdict(trial),
        tone=_TONES[trial.action],
        lines=[_line(outcome) for outcome in trial.outcomes],
        pieces=trial.pieces,
        outgoing=trial.outgoing,
        unasked=trial.unasked,
    )


_TONES = {Action.OFF: "good", Action.LOG: "good", Action.FLAG: "warn", Action.REDACT: "warn", Action.BLOCK: "bad"}
_DONE = {
    Action.OFF: "off",
    Action.LOG: "logged",
    Action.FLAG: "flagged for review",
    Action.REDACT: "redacted",
    Action.BLOCK: "blocked",
}


def _verdict(trial: guard_trials.Trial) -> str:
    if trial.is_unchecked:
        return f"Refused, as {_title(trial.blocked_by)} could not look. Nothing goes out."
    if trial.blocked_by:
        return f"Blocked by {_title(trial.blocked_by)}. Nothing goes out."
    if not trial.outcomes:
        return "Nothing was found. It goes out as it is."
    changed = "It goes out changed." if trial.is_changed else "It goes out as it is."
    flagged = " The exchange is put up for review." if trial.is_flagged else ""
    return changed + flagged


def _line(outcome: Outcome) -> dict[str, Any]:
    return {
        "guard": _title(outcome.guard),
        "rule": outcome.rule,
        "count": outcome.count,
        "score": f"{outcome.score:.2f}",
        "done": _DONE[outcome.action],
        "tone": _TONES[outcome.action],
        "error": GuardDecision.Error(outcome.error).label if outcome.error else "",
    }


def _title(guard: str) -> str:
    found = registry.guards().get(guard)
    return found.title if found else guard
