"""Guards of a policy that fail at every request, as things stand: told where the policy is saved and shown.

What can never run is refused when it is saved (`models/guards.py`). This is for the rest: a model that is not served
yet, or not any more, and what was taken out of the installation afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway import selectors
from gateway.guard_terms import terms_of
from gateway.guards import moderation, registry
from gateway.guards.base import Guard, OnError
from gateway.guards.moderation import Asking
from gateway.models import GuardRule
from gateway.models.guards import unmet_by


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a guard fails, what to do, and what happens until then."""

    guard: Guard
    why: str
    is_refused: bool

    def __str__(self) -> str:
        until = "is refused" if self.is_refused else "passes unchecked, as the policy says"
        return f"{self.guard.title} cannot look. {self.why} Until then what it should look at {until}."


def gaps(rules: Iterable[GuardRule]) -> list[Gap]:
    """Those of the rules whose guards fail."""
    known = registry.guards()
    found = [(rule, known[rule.guard]) for rule in rules if rule.action and rule.guard in known]
    return [Gap(guard, why, rule.on_error == OnError.BLOCK) for rule, guard in found if (why := _why(rule, guard))]


def unserved(asked: Asking) -> str:
    """Why a moderation model is not asked, and what to do; empty where gateways know where it is."""
    if selectors.is_served(asked.model, provider=asked.provider):
        return ""
    where = f" at the provider {asked.provider}" if asked.provider else ""
    return f"No active deployment with a price serves the model {asked.model}{where}: add one under Models."


def _why(rule: GuardRule, guard: Guard) -> str:
    if unmet := unmet_by(rule, guard):
        return unmet
    return unserved(moderation.asking(terms_of(rule))) if guard.name == moderation.NAME else ""
