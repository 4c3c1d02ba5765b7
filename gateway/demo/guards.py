"""A guard policy for Acme, with words and patterns of its own, and what guards found in the history of both tenants."""

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from accounts.models import Tenant
from billing.models import UsageRecord
from compliance.contracts import Actor
from gateway.actions import guard_decisions, guard_dictionaries, guard_patterns, guard_policies, reviews
from gateway.demo import tenants
from gateway.guards.base import Action, Direction, Replacement, Role
from gateway.ids import new_id
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule, ReviewItem

LOOKED_AT = timedelta(days=7)
MOST = 1500
"""Requests of the history in which guards may have found something."""

WORDS = ("Project Lighthouse", "Harbour Lamps", "Moonbeam 3000")


class Found(NamedTuple):
    """What guards find in a share of the requests. `turns`: in how many of a thousand."""

    turns: int
    guard: str
    rule: str
    action: Action
    direction: Direction = Direction.PROMPT
    role: Role = Role.USER
    score: float = 0.95


ACMES = (
    Found(60, "personal_data", "EMAIL", Action.REDACT, score=1.0),
    Found(25, "personal_data", "PHONE", Action.REDACT, score=0.9),
    Found(6, "personal_data", "CARD", Action.REDACT, score=1.0),
    Found(8, "patterns", "CUSTOMER_NUMBER", Action.REDACT, score=1.0),
    Found(5, "dictionaries", "New products", Action.REDACT, Direction.ANSWER, Role.ASSISTANT, 1.0),
    Found(4, "secrets", "password", Action.REDACT, score=0.85),
    Found(4, "injection", "override", Action.FLAG, score=0.82),
    Found(3, "injection", "exfiltration", Action.FLAG, role=Role.TOOL, score=0.71),
    Found(3, "word_list", "harassment", Action.FLAG, score=1.0),
)
UMBRELLAS = (
    Found(40, "personal_data", "EMAIL", Action.LOG, score=1.0),
    Found(10, "secrets", "openai_key", Action.REDACT, score=1.0),
    Found(6, "injection", "extraction", Action.FLAG, score=0.77),
)


def seed(*, by: Actor) -> None:
    """Adds the policy, and has decisions about the latest requests put on record as gateways do."""
    acme, umbrella = (Tenant.objects.get(slug=plan.slug) for plan in (tenants.ACME, tenants.UMBRELLA))
    policy = _policy(acme, by=by)
    guard_decisions.make_partitions()
    for tenant, found, policy_id in ((acme, ACMES, policy.pk), (umbrella, UMBRELLAS, 0)):
        _decide(tenant, found, policy_id)
    _review(by=by)


def _policy(acme: Tenant, *, by: Actor) -> GuardPolicy:
    words = guard_dictionaries.add(dictionary=GuardDictionary(tenant=acme, name="New products"), by=by)
    guard_dictionaries.upload(dictionary=words, data="\n".join(WORDS).encode(), is_csv=False, by=by)
    pattern = GuardPattern(tenant=acme, name="CUSTOMER_NUMBER", expression=r"AC-\d{6}")
    guard_patterns.add(pattern=pattern, by=by)
    policy = GuardPolicy(tenant=acme, name="Acme", placeholder_ttl_hours=24)
    return guard_policies.add(policy=policy, rules=list(_rules()), by=by)


def _rules() -> Iterator[GuardRule]:
    prompt, answer = GuardRule.Direction.PROMPT, GuardRule.Direction.ANSWER
    yield GuardRule(guard="abuse", action=Action.BLOCK, direction=prompt)
    yield GuardRule(guard="canaries", action=Action.BLOCK, direction=answer)
    yield GuardRule(guard="secrets", action=Action.REDACT)
    for guard in ("personal_data", "patterns", "dictionaries"):
        yield GuardRule(guard=guard, action=Action.REDACT, replacement=Replacement.PLACEHOLDER)
    yield GuardRule(guard="injection", action=Action.FLAG, direction=prompt)
    yield GuardRule(guard="word_list", action=Action.FLAG)
    yield GuardRule(guard="links", action=Action.LOG, direction=answer, settings={"hosts": ["*.acme.example"]})


def _decide(tenant: Tenant, found: tuple[Found, ...], policy_id: int) -> None:
    """The same for the same history: chance comes from one seeded generator."""
    chance = Random(tenant.slug)  # noqa: S311 - not for secrets
    rows = [
        _row(record, each, policy_id)
        for record in _history(tenant)
        for each in found
        if chance.randrange(1000) < each.turns
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT store_guard_decisions(%s::jsonb)", [json.dumps(rows)])


def _history(tenant: Tenant) -> Iterator[UsageRecord]:
    rows = UsageRecord.objects.filter(tenant_id=tenant.pk, outcome="completed", at__gte=timezone.now() - LOOKED_AT)
    return rows.order_by("-at", "request_id")[:MOST].iterator()


def _row(record: UsageRecord, found: Found, policy_id: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "request_id": str(record.request_id),
        "at": record.at.isoformat(),
        "tenant_id": record.tenant_id,
        "application_id": record.application_id,
        "api_key_id": record.api_key_id,
        "environment": record.environment,
        "model": record.model,
        "surrogate": record.end_user,
        "policy_id": policy_id,
        "guard": found.guard,
        "rule": found.rule,
        "action": int(found.action),
        "direction": found.direction,
        "role": found.role,
        "count": 1,
        "score": found.score,
        "error": "",
    }


def _review(*, by: Actor) -> None:
    """Some were looked at already."""
    oldest = list(ReviewItem.objects.order_by("at", "pk")[:3])
    if len(oldest) == 3:
        reviews.dismiss(item=oldest[0], by=by, reason="Asked how such attacks work.")
        reviews.confirm(item=oldest[1], by=by, reason="Tried to have the assistant tell its instructions.")
        reviews.note(item=oldest[2], by=by, reason="Ask the application's owner.")
