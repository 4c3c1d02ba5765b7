"""What becomes of kept placeholders: they go when their time is over, with a consent, with a person, with a tenant."""

from collections import Counter

from django.db import connection, transaction

from compliance import audit
from compliance.contracts import Actor, Target
from compliance.registry import Person
from compliance.retention import take_turn
from gateway.models import GuardPlaceholder
from gateway.placeholder_rows import PURPOSE

SLICE = 5000

# What a legal hold covers stays, as everything of such a person; gateways restore nothing from it all the same.
_PURGE = """
DELETE FROM gateway_guardplaceholder AS gone USING (
    SELECT there.id FROM gateway_guardplaceholder AS there
    LEFT JOIN compliance_subject AS subject
        ON subject.surrogate = there.surrogate AND subject.tenant_id = there.tenant_id
    WHERE (there.expires_at <= statement_timestamp() OR subject.id IS NULL
           OR NOT consent_allows(there.tenant_id, subject.id, %(purpose)s))
      AND NOT is_held(there.tenant_id, there.surrogate, NULL, NULL, NULL, NULL, there.created_at)
    ORDER BY there.id LIMIT %(most)s FOR UPDATE OF there SKIP LOCKED
) AS due
WHERE gone.id = due.id RETURNING gone.tenant_id
"""


def purge(*, by: Actor) -> int:
    """Deletes what has expired, and what its person does not allow any more; returns how many. Slice by slice."""
    total, last = 0, SLICE
    while last == SLICE:
        last = _slice(by=by)
        total += last
    return total


@transaction.atomic
def _slice(*, by: Actor) -> int:
    take_turn()  # or a hold that is put on record right now would be overlooked
    with connection.cursor() as cursor:
        cursor.execute(_PURGE, {"purpose": PURPOSE, "most": SLICE})
        gone = Counter(tenant_id for (tenant_id,) in cursor.fetchall())
    for tenant_id, rows in sorted(gone.items()):
        audit.record(
            by=by,
            action="guardplaceholder.purged",
            target=Target("guardplaceholder", str(tenant_id)),
            tenant_id=tenant_id,
            after={"placeholders": rows},
        )
    return gone.total()


def delete_placeholders(*, person: Person, by: Actor) -> int:
    """Deletes what is kept of a person; their key is gone already."""
    rows = GuardPlaceholder.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return int(rows.delete()[0])


def delete_tenants_placeholders(*, tenant_id: int, by: Actor) -> int:
    """Deletes a slice of what is kept of a tenant's people."""
    rows = GuardPlaceholder.objects.filter(tenant_id=tenant_id)
    return int(rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:SLICE])).delete()[0])
