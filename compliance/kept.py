"""Why nothing of a person, or of a tenant, may be destroyed yet: legal holds, and laws that require content for a time.

Ask behind `retention.take_turn()` and destroy in the same transaction, or a hold that is approved now is overlooked.
"""

from datetime import timedelta

from django.db.models import Max
from django.utils import timezone

from compliance import holds
from compliance.models import Transcript
from compliance.registry import Class, Person
from compliance.retention import floor_for


def of_person(person: Person) -> list[str]:
    """The reasons, for people; none where the person may be erased.

    All content of a person is under one key, so what one record needs holds for all of them.
    """
    reasons = [f"Waits for the release of the legal hold {hold}." for hold in holds.covering(person)]
    return reasons + _floor(person.tenant_id, surrogate=person.surrogate)


def of_tenant(tenant_id: int) -> list[str]:
    """The same of a tenant that leaves: its keys are above those of all its people."""
    found = list(holds.in_force(tenant_id))
    reasons = [f"Legal holds keep what is the tenant's: {', '.join(map(str, found))}."] if found else []
    return reasons + _floor(tenant_id)


def _floor(tenant_id: int, **whose: str) -> list[str]:
    floor = floor_for(tenant_id, Class.CONTENT)
    since = timezone.now() - timedelta(days=floor.days)
    written = Transcript.objects.filter(tenant_id=tenant_id, created_at__gt=since, **whose)
    newest = written.aggregate(Max("created_at"))["created_at__max"]
    if newest is None:
        return []
    until = (newest + timedelta(days=floor.days)).date()
    return [f"The law requires content to be kept until {until}: {floor.basis}."]
