"""What came of looking: for records, and for the stages. Never a text that was matched."""

from msgspec import Struct, field

from gateway.guards.base import Action, Direction, Role


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """What a guard found of one kind at one place, or that it failed. `error`: empty, `raised` or `budget`."""

    guard: str
    rule: str
    action: Action
    direction: Direction
    role: Role
    place: str
    count: int = 1
    score: float = 1.0
    error: str = ""


class Verdict(Struct, kw_only=True):
    """What all guards say of some texts. `action`: the highest. `blocked_by`: a guard, or empty.

    `changed`: by place the texts in which something was redacted, as they go on.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    action: Action = Action.OFF
    blocked_by: str = ""
    changed: dict[str, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.action = max(self.action, outcome.action)
        if outcome.action == Action.BLOCK and not self.blocked_by:
            self.blocked_by = outcome.guard
