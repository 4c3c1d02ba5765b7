"""Which legal holds there are, and what they keep."""

import json
from collections.abc import Callable

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import QuerySet

from compliance.models import LegalHold
from compliance.registry import Person

Hook = Callable[[LegalHold], None]
"""Takes a hold that has just been released; runs in the transaction of the release."""

_on_release: list[Hook] = []

COVERS_ROWS_OF = """
SELECT hold.id FROM compliance_legalhold hold
WHERE hold.tenant_id = %(tenant)s AND hold.state IN ('active', 'release_requested') AND EXISTS (
    SELECT FROM transcript t WHERE t.tenant_id = %(tenant)s AND t.surrogate = %(surrogate)s AND hold_covers(
        hold, t.surrogate, t.api_key_id, t.model, t.application_id, t.environment, t.created_at, t.outcome))
"""


COUNTED = """
SELECT count(*) FROM (
    SELECT FROM transcript t, jsonb_populate_record(NULL::compliance_legalhold, %(hold)s::jsonb) AS hold
    WHERE t.tenant_id = %(tenant)s AND (%(surrogate)s = '' OR t.surrogate = %(surrogate)s) AND hold_covers(
        hold, t.surrogate, t.api_key_id, t.model, t.application_id, t.environment, t.created_at, t.outcome)
    LIMIT %(most)s) AS covered
"""
MOST_COUNTED = 100_000
CONDITIONS = ("surrogate", "api_key_id", "application_id", "environment", "model", "outcome", "since", "until")


def on_release(hook: Hook) -> None:
    """Has `hook` called whenever a hold is released: what waited for it may go on. Enqueue work on commit."""
    if hook not in _on_release:
        _on_release.append(hook)


def released(hold: LegalHold) -> None:
    """Tells those who wait."""
    for hook in _on_release:
        hook(hold)


def in_force(tenant_id: int | None = None) -> QuerySet[LegalHold]:
    """The holds that keep something, of one tenant or of all."""
    rows = LegalHold.objects.filter(state__in=LegalHold.IN_FORCE)
    return rows if tenant_id is None else rows.filter(tenant_id=tenant_id)


def covering(person: Person) -> list[LegalHold]:
    """The holds because of which a person may not be erased, oldest first.

    Those that name the person or the whole tenant, and those that cover any content of theirs: it is all encrypted
    under one key, so that either all of it can be read or none.
    """
    rows = in_force(person.tenant_id)
    whole = rows.filter(scope=LegalHold.Scope.TENANT) | rows.filter(surrogate=person.surrogate)
    with connection.cursor() as cursor:
        cursor.execute(COVERS_ROWS_OF, {"tenant": person.tenant_id, "surrogate": person.surrogate})
        partly = [pk for (pk,) in cursor.fetchall()]
    return list((whole | rows.filter(pk__in=partly)).order_by("pk"))


def count_covered(hold: LegalHold) -> int:
    """How many stored conversations a hold covers, be it saved or not; no further than MOST_COUNTED."""
    conditions = {name: getattr(hold, name) for name in CONDITIONS}
    values: dict[str, str | int] = {
        "hold": json.dumps(conditions, cls=DjangoJSONEncoder),
        "tenant": hold.tenant_id,
        "surrogate": hold.surrogate,
        "most": MOST_COUNTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        return int(cursor.fetchone()[0])


def versions() -> list[int]:
    """The holds in force. Differs as soon as one is placed or released."""
    return list(in_force().order_by("pk").values_list("pk", flat=True))
