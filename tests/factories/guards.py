"""Guard policies and what belongs to them, for tests."""

import itertools
import json
import re
import uuid
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import ApiKey, Tenant
from gateway.actions import guard_dictionaries, guard_patterns, guard_policies
from gateway.guards.base import Action
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule, ReviewItem
from tests.factories import THE_SYSTEM

_number = itertools.count(1)


def a_guard_policy(tenant: Tenant | None = None, *, rules: tuple[GuardRule, ...] = (), **fields: Any) -> GuardPolicy:
    """A policy of a tenant, or of the platform, in which what `rules` do not name is off."""
    policy = GuardPolicy(tenant=tenant, **{"name": f"Policy {next(_number)}", **fields})
    return guard_policies.add(policy=policy, rules=rules, by=THE_SYSTEM)


def a_guard_rule(guard: str = "abuse", action: Action = Action.BLOCK, **fields: Any) -> GuardRule:
    """What a policy says of a guard, unsaved."""
    return GuardRule(guard=guard, action=int(action), **fields)


def a_guard_pattern(tenant: Tenant, *, expression: str = r"EMP-\d{5}", **fields: Any) -> GuardPattern:
    values = {"name": f"EMPLOYEE_{next(_number)}", **fields}
    return guard_patterns.add(pattern=GuardPattern(tenant=tenant, expression=expression, **values), by=THE_SYSTEM)


def a_guard_dictionary(tenant: Tenant, *, words: tuple[str, ...] = (), **fields: Any) -> GuardDictionary:
    """A dictionary of a tenant, with its words."""
    values = {"name": f"Words {next(_number)}", **fields}
    dictionary = guard_dictionaries.add(dictionary=GuardDictionary(tenant=tenant, **values), by=THE_SYSTEM)
    if not words:
        return dictionary
    return guard_dictionaries.upload(dictionary=dictionary, data="\n".join(words).encode(), is_csv=False, by=THE_SYSTEM)


def guard_decisions(key: ApiKey, *guards: str, action: Action = Action.FLAG, **fields: Any) -> uuid.UUID:
    """What guards decided of one request, stored as gateways do; returns the request's id."""
    request_id = fields.pop("request_id", None) or uuid.uuid4()
    about = {
        "request_id": str(request_id),
        "at": fields.pop("at", None) or timezone.now(),
        "tenant_id": key.tenant_id,
        "application_id": key.application_id,
        "api_key_id": key.pk,
        "environment": key.environment,
        "model": "gpt-test",
        "surrogate": "",
        "policy_id": 0,
        "rule": "override",
        "action": int(action),
        "direction": "prompt",
        "role": "user",
        "count": 1,
        "score": 0.9,
        "error": "",
    }
    rows = [{**about, "id": str(uuid.uuid4()), "guard": guard, **fields} for guard in guards or ("injection",)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT store_guard_decisions(%s::jsonb)", [json.dumps(rows, default=str)])
    return request_id


def a_review(key: ApiKey, *guards: str, **fields: Any) -> ReviewItem:
    """An exchange that guards have flagged."""
    return ReviewItem.objects.get(request_id=guard_decisions(key, *guards, **fields))


def rows_of_guards(key: ApiKey) -> None:
    """A row of every table that the admin shows of guards."""
    a_guard_policy(key.tenant, rules=(a_guard_rule(),))
    a_guard_dictionary(key.tenant, words=("aurora",))
    a_guard_pattern(key.tenant)
    a_review(key)


_CARD = re.compile("(?<![0-9a-f-])4111(?![0-9a-f-])|4111 ?1111")


def shows_the_card(text: str) -> bool:
    """Whether a part of the number of the test card is in a text: not within an id or a time, which may have any."""
    return _CARD.search(text) is not None
