"""What an erasure, and a tenant that leaves, delete or sever in this app's tables; see `compliance/privacy.py`."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.actions import consents, exports
from compliance.consent_states import ALLOWING
from compliance.contracts import Actor
from compliance.exports import files
from compliance.models import (
    ConsentRecord,
    ContentDecision,
    Rectification,
    Subject,
    SubjectExport,
    SubjectRequest,
    Transcript,
)
from compliance.registry import Person

SLICE = 5000
"""Rows of a tenant that one transaction deletes."""
PEOPLE = 200
"""Whose consents end in one transaction."""

# --- one person --------------------------------------------------------------------------------------------------


def delete_transcripts(*, person: Person, by: Actor) -> int:
    """Deletes a person's conversations; their key is gone already."""
    rows = Transcript.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return int(rows.delete()[0])


def end_consents(*, person: Person, by: Actor) -> int:
    """Ends what a person still allowed, so that the time begins for which it must be shown that they did."""
    subject = Subject.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate).first()
    return consents.end_all(subject=subject, by=by, reason="erased") if subject else 0


def forget_words(*, person: Person, by: Actor) -> int:
    """Deletes what the person wrote in their requests; that they made them stays."""
    return _forget_words(SubjectRequest.objects.filter(_of(person)))


def delete_rectifications(*, person: Person, by: Actor) -> int:
    """Deletes a person's corrections of what is not there any more."""
    return int(Rectification.objects.filter(_of(person)).delete()[0])


def delete_exports(*, person: Person, by: Actor) -> int:
    """Deletes the files with everything about a person, finished or not; that there were some stays."""
    for request in SubjectRequest.objects.filter(_of(person)):
        files.drop_parts(request.public_id)
    return _delete_exports(SubjectExport.objects.filter(_of(person)), by=by)


def delete_export_files(*, person: Person, by: Actor) -> int:
    """Deletes what is still there of such files, whatever the rows say."""
    requests = SubjectRequest.objects.filter(_of(person)).values_list("public_id", flat=True)
    return sum(files.drop(request_id) for request_id in requests)


def _of(person: Person) -> Q:
    return Q(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)


# --- a whole tenant ----------------------------------------------------------------------------------------------


# The first ones take one slice and return how many rows that were: whoever calls them goes on until nothing is left.


def wipe_mapping(*, tenant_id: int, by: Actor) -> int:
    """Makes surrogates of a tenant nobody's."""
    named = Subject.objects.filter(tenant_id=tenant_id).exclude(state=Subject.State.ERASED, lookup=None)
    some = list(named.values_list("pk", flat=True)[:SLICE])
    return Subject.objects.filter(pk__in=some).update(
        state=Subject.State.ERASED, lookup=None, external_id=None, blocked_at=None, state_since=timezone.now()
    )


def delete_tenants_transcripts(*, tenant_id: int, by: Actor) -> int:
    """Deletes conversations of a tenant."""
    return _delete_slice(Transcript.objects.filter(tenant_id=tenant_id))


def delete_tenants_decisions(*, tenant_id: int, by: Actor) -> int:
    """Deletes which requests of a tenant stored content and which did not."""
    return _delete_slice(ContentDecision.objects.filter(tenant_id=tenant_id))


def end_tenants_consents(*, tenant_id: int, by: Actor) -> int:
    """Terminates consents of a tenant's people, each with a record that follows in its history."""
    live = ConsentRecord.objects.filter(tenant_id=tenant_id, live=True, state__in=ALLOWING)
    of_some = Subject.objects.filter(pk__in=live.values("subject_id"))[:PEOPLE]
    return sum(consents.end_all(subject=subject, by=by, reason="the tenant left") for subject in of_some)


def forget_tenants_words(*, tenant_id: int, by: Actor) -> int:
    """Deletes what a tenant's people wrote in their requests."""
    return _forget_words(SubjectRequest.objects.filter(tenant_id=tenant_id))


def delete_tenants_rectifications(*, tenant_id: int, by: Actor) -> int:
    """Deletes the corrections of a tenant's people."""
    return int(Rectification.objects.filter(tenant_id=tenant_id).delete()[0])


def delete_tenants_exports(*, tenant_id: int, by: Actor) -> int:
    """Deletes the files that a tenant's people could fetch."""
    return _delete_exports(SubjectExport.objects.filter(tenant_id=tenant_id), by=by)


def _delete_slice(rows: QuerySet[Any]) -> int:
    return int(rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:SLICE])).delete()[0])


# --- both ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def _forget_words(requests: QuerySet[SubjectRequest]) -> int:
    return requests.filter(details__isnull=False).update(details=None)


def _delete_exports(rows: QuerySet[SubjectExport], *, by: Actor) -> int:
    there: list[Any] = list(rows.filter(deleted_at=None).select_related("request__subject"))
    for export in there:
        exports.delete(export=export, by=by, reason="erased")
    return len(there)
