"""What the guard for personal data finds in a text, for its tests. Values are those of documentation, or made up."""

from gateway.guards.base import Action, Direction, Guarding, Role, Terms
from gateway.guards.engine import Engine
from gateway.guards.personal_data import GUARD

ENGINE = Engine(
    Guarding(policy_id=1, terms=(Terms(guard="personal_data", action=Action.LOG),)), known={"personal_data": GUARD}
)


def found(text: str) -> list[tuple[str, str]]:
    """Rules and what they found, from left to right."""
    findings = ENGINE.findings(text, role=Role.USER, direction=Direction.PROMPT)
    return [(each.rule, text[each.start : each.end]) for each in findings]
