"""Makes the exports of subject requests: collects store by store, assembles, hands out, and deletes when due.

An export holds in clear whatever can be read of a person. So what holds for reading a conversation holds for an officer
who takes one, and nobody takes what was made on the strength of their own word.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from compliance import audit, reasons, sealing, signing
from compliance.actions import keys
from compliance.actions.request_moves import Kind, noted, remember
from compliance.contracts import Actor
from compliance.deadlines import local_day
from compliance.errors import KeyDestroyed, RequestRefused
from compliance.exports import archive, contents, files, sealed
from compliance.keyring.store import DataKey
from compliance.models import ConsentNotice, ContentPolicy, Subject, SubjectExport, SubjectRequest
from compliance.registry import Class, Person, Store
from compliance.retention import rule_of
from compliance.retention_rules import due_on, in_words
from compliance.rights import Right
from compliance.selectors_requests import person_of, vouched_by
from compliance.selectors_transcripts import closed_of


def collect(*, request: SubjectRequest, store: Store, by: Actor) -> int:
    """Writes what one store has about the person into a sealed file, and returns how many records. May be repeated."""
    person, count = person_of(request), 0
    with sealed.writing(
        files.part(request.public_id, store.name),
        person=person,
        file_id=_file_id(request, store.name),
        key=_key(request),
    ) as out:
        for record in contents.records(store, person):
            out.write(record)
            count += 1
    return count


def assemble(*, request: SubjectRequest, by: Actor) -> SubjectExport:
    """Makes the archive of what was collected, signs it, and deletes the parts. May be repeated: the last one stays.

    Raises:
        FileNotFoundError: a part is not there, on this machine at least; collect it again.
        KeyStoreUnavailable, KeyDestroyed: the person's key cannot be read.
    """
    key, person = _key(request), person_of(request)
    stores = [store for step in request.steps.order_by("position") if (store := contents.store_named(step.store))]
    path = files.whole(request.public_id)
    with sealed.writing(path, person=person, file_id=_file_id(request), key=key) as out:
        manifest, sha256, records = archive.write(
            out,
            about=_about(request),
            parts=[_part(request, store, person, key) for store in stores],
            sign=lambda document: signing.sign(document, kind=archive.KIND),
        )
    export = SubjectExport(
        tenant_id=request.tenant_id,
        subject=request.subject,
        request=request,
        key_id=key.id,
        file_bytes=path.stat().st_size,
        zip_sha256=sha256,
        records=records,
        manifest=manifest,
        expires_on=due_on(timezone.now().date(), rule_of(request.tenant_id, Class.EXPORTS).days),
    )
    _keep(export, by)
    files.drop_parts(request.public_id)
    return export


def download(*, request: SubjectRequest, reason: str, may_read_restricted: bool, by: Actor) -> Iterator[bytes]:
    """The archive in clear, piece by piece, for an officer who may read conversations and brings it to the person.

    That it was taken, or refused, goes into the audit log first.

    Raises:
        ValidationError: no reason, or one too short to tell anybody anything.
        RequestRefused: nobody proved who asks, or it was `by` who vouched for them; the person is restricted or
            something of theirs is under a legal hold, and `may_read_restricted` is false; or as `hand_over`.
        KeyStoreUnavailable: the person's key cannot be read now.
    """
    reason = reasons.checked(reason)
    if refusal := _refusal(request, may_read_restricted=may_read_restricted, by=by):
        _record(request, by=by, reason=reason, outcome="refused")
        raise RequestRefused(refusal)
    return _taken(request, by, reason)


def hand_over(*, request: SubjectRequest, by: Actor) -> Iterator[bytes]:
    """The same, for the application that the person uses, which passes it on to them. It is theirs, held or not.

    Raises:
        RequestRefused: nobody proved who asks, or there is no file: not yet, or no more, as its time is over or the
            person was erased.
        KeyStoreUnavailable: the person's key cannot be read now.
    """
    return _taken(request, by, "")


def delete(*, export: SubjectExport, by: Actor, reason: str = "") -> bool:
    """Deletes the file; the row stays and says that there was one. Returns whether a file was there."""
    was_there = files.drop(export.request.public_id)
    with transaction.atomic():
        if SubjectExport.objects.filter(pk=export.pk, deleted_at=None).update(deleted_at=timezone.now()):
            noted(request=export.request, verb="export_deleted", by=by, reason=reason)
    return was_there


def delete_due(*, by: Actor, as_of: date | None = None) -> int:
    """Deletes the files whose time is over, and returns how many."""
    today = as_of or timezone.now().date()
    due = SubjectExport.objects.filter(deleted_at=None, expires_on__lte=today).select_related("request__subject")
    return sum(delete(export=export, by=by, reason="kept as long as the policy says") for export in due)


# --- handing out -------------------------------------------------------------------------------------------------


def _refusal(request: SubjectRequest, *, may_read_restricted: bool, by: Actor) -> str:
    """Why an officer may not take it; empty where they may."""
    if f"{by.kind} {by.id}" in vouched_by(request):
        return "You said yourself that it is the person who asks. Have somebody else take the file."
    closed = closed_of(Subject.objects.get(pk=request.subject_id))
    return f"Only the legal role may take it: {closed}." if closed and not may_read_restricted else ""


def _taken(request: SubjectRequest, by: Actor, reason: str) -> Iterator[bytes]:
    export = SubjectExport.objects.filter(request=request).select_related("subject").first()
    if export is None:
        raise RequestRefused("There is no file yet; it comes when the request is fulfilled.")
    if request.identity_verified_at is None:
        raise RequestRefused("Nobody has proved who asks, so nobody gets the file.")
    path = files.whole(request.public_id)
    if export.deleted_at is not None or not path.exists():
        raise RequestRefused(f"The file was deleted; it was kept until {export.expires_on}. Ask for a new export.")
    key = _key_to_read(export)
    pieces = sealed.pieces(path, person=person_of(request), file_id=_file_id(request), key=key)
    first = next(pieces)  # opens, or refuses before anything is recorded
    with transaction.atomic():
        SubjectExport.objects.filter(pk=export.pk).update(downloads=F("downloads") + 1)
        remember(request=request, kind=Kind.DOWNLOADED, by=by, reason=reason)
        _record(request, by=by, reason=reason, after={"records": export.records, "zip_sha256": export.zip_sha256})
    return _chain(first, pieces)


@transaction.atomic
def _record(
    request: SubjectRequest, *, by: Actor, reason: str, outcome: str = "success", after: dict[str, Any] | None = None
) -> None:
    audit.record(
        by=by,
        action="subjectrequest.downloaded",
        target=audit.target_of(request),
        tenant_id=request.tenant_id,
        after={"surrogate": request.subject.surrogate, "right": request.right, **(after or {})},
        reason=reason,
        outcome=outcome,
    )


# --- parts -------------------------------------------------------------------------------------------------------


@transaction.atomic
def _keep(export: SubjectExport, by: Actor) -> None:
    SubjectExport.objects.filter(request=export.request).delete()
    export.save(force_insert=True)
    noted(request=export.request, verb="exported", by=by)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _key(request: SubjectRequest) -> DataKey:
    surrogate = request.subject.surrogate
    return keys.make_subject_keys(tenant_id=request.tenant_id, surrogates=[surrogate])[surrogate]


def _key_to_read(export: SubjectExport) -> DataKey:
    try:
        return sealing.key_of(export.subject)
    except KeyDestroyed as error:
        raise RequestRefused("The person was erased, and what was exported of them with them.") from error


def _file_id(request: SubjectRequest, store: str = "") -> str:
    return f"{request.public_id}/{store}"


def _part(request: SubjectRequest, store: Store, person: Person, key: DataKey) -> archive.Part:
    path, file_id = files.part(request.public_id, store.name), _file_id(request, store.name)
    return archive.Part(
        name=store.name,
        title=store.title,
        why=store.why,
        how_long=_how_long(request.tenant_id, store.keeps),
        lines=lambda: sealed.lines(path, person=person, file_id=file_id, key=key),
    )


def _how_long(tenant_id: int, keeps: Class) -> str:
    match keeps:
        case Class.POLICY:
            return "as long as it is in force"
        case Class.USAGE:
            return f"{settings.USAGE_MONTHS_KEPT} months" if settings.USAGE_MONTHS_KEPT else "not limited"
        case _:
            return in_words(rule_of(tenant_id, keeps).days)


def _about(request: SubjectRequest) -> archive.About:
    policy = ContentPolicy.objects.filter(tenant_id=request.tenant_id).first()
    notices = ConsentNotice.objects.filter(tenant_id=request.tenant_id, status=ConsentNotice.Status.PUBLISHED)
    told = sorted({name for recipients in notices.values_list("recipients", flat=True) for name in recipients})
    controllers = notices.order_by("-published_at").values_list("controller", flat=True)
    return archive.About(
        right=request.get_right_display(),
        tenant=request.tenant.name,
        controller=(policy.controller if policy else "") or controllers.first() or "",
        surrogate=request.subject.surrogate,
        request_id=str(request.public_id),
        made_on=local_day(timezone.now(), request.zone).isoformat(),
        recipients=tuple(told),
        has_page=request.right == Right.ACCESS,
    )
