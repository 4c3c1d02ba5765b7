"""People, what they were told, and what they decided."""

import itertools
import json
import uuid
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.actions import members, users
from accounts.models import Membership, Tenant, User
from compliance.actions import consents, content_policies, identity, jobs, keys, notices, requests, subjects
from compliance.actions.consents import Decision
from compliance.actions.requests import Asked
from compliance.envelope import seal_record
from compliance.models import ConsentNotice, ConsentRecord, ContentPolicy, JobRun, Purpose, Subject, Transcript
from compliance.rights import Right
from compliance.transcripts import place_of
from tests.factories import THE_SYSTEM, a_tenant

_number = itertools.count(1)


def a_subject(tenant: Tenant | None = None, external_id: str = "") -> Subject:
    """Somebody whom the tenant's applications call `external_id`."""
    tenant = tenant or a_tenant()
    external_id = external_id or f"person-{next(_number)}@example.com"
    return subjects.enrol(tenant_id=tenant.pk, external_id=external_id, by=THE_SYSTEM)


def a_notice(
    tenant: Tenant, purpose: str = Purpose.STORE_CONVERSATIONS, *, is_published: bool = True, **fields: Any
) -> ConsentNotice:
    """The next version of what people are told about a purpose."""
    values: dict[str, Any] = {
        "title": "What we keep",
        "text": f"We keep what you write, if you agree ({next(_number)}).",
        "controller": "Acme Ltd, 1 Road, Town",
        "personal_data": ["prompts", "answers"],
        "jurisdiction": "EU",
        **fields,
    }
    notice = notices.draft(notice=ConsentNotice(tenant=tenant, purpose=purpose, **values), by=THE_SYSTEM)
    return notices.publish(notice=notice, by=THE_SYSTEM) if is_published else notice


def a_consent(
    subject: Subject | None = None, purpose: str = Purpose.STORE_CONVERSATIONS, *, state: str = "given", **fields: Any
) -> ConsentRecord:
    """A person's decision; the notice is published where there is none yet."""
    subject = subject or a_subject()
    published = ConsentNotice.objects.filter(tenant=subject.tenant, purpose=purpose, status="published")
    if not published.exists():
        a_notice(subject.tenant, purpose)
    decision = Decision(purpose=purpose, state=state, **fields)
    return consents.record(subject=subject, decision=decision, by=THE_SYSTEM)


def a_content_policy(tenant: Tenant, **fields: Any) -> ContentPolicy:
    """Conversations of those who consent are stored, unless `fields` say otherwise."""
    return content_policies.put(policy=ContentPolicy(tenant=tenant, **{"store": True, **fields}), by=THE_SYSTEM)


def a_transcript(subject: Subject, text: str = "Hello", **fields: Any) -> Transcript:
    """A conversation of theirs, as the data plane stores it: they must have consented, and the tenant must store."""
    request_id, at = uuid.uuid4(), timezone.now()
    key = keys.make_subject_keys(tenant_id=subject.tenant_id, surrogates=[subject.surrogate])[subject.surrogate]
    place = place_of(
        tenant_id=subject.tenant_id,
        surrogate=subject.surrogate,
        request_id=str(request_id),
        purpose=Purpose.STORE_CONVERSATIONS,
    )
    plain = json.dumps({"request": {"messages": [{"role": "user", "content": text}]}, "answer": None}).encode()
    sealed = seal_record(plain, key=key.key, key_id=key.id, place=place)
    item = {
        "request_id": str(request_id),
        "tenant_id": subject.tenant_id,
        "surrogate": subject.surrogate,
        "at": at.isoformat(),
        "reason": "",
        "environment": "dev",
        "model": "gpt",
        "outcome": "completed",
        "streamed": False,
        "purpose": Purpose.STORE_CONVERSATIONS,
        "gpc": False,
        "redacted": False,
        "key_id": str(key.id),
        "place": 0,
        "length": len(sealed),
        "plain_bytes": len(plain),
        **fields,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT reason FROM store_transcripts(%s::jsonb, %s::bytea)", [json.dumps([item]), sealed])
        assert cursor.fetchall() == [("",)]
    return Transcript.objects.get(pk=request_id)


def a_request(subject: Subject | None = None, right: str = "access", *, state: str = "received", **fields: Any) -> Any:
    """A request of somebody, on its way as far as `state`: received, acknowledged, identity_verified, in_review or
    queued."""
    row = requests.receive(subject=subject or a_subject(), asked=Asked(right=Right(right), **fields), by=THE_SYSTEM)
    for step in (requests.acknowledge, identity.vouch, requests.review, requests.approve):
        if row.state == state:
            return row
        if not (step is identity.vouch and row.identity_verified_at):
            row = step(request=row, by=THE_SYSTEM)
    assert row.state == state
    return row


def a_member(tenant: Tenant, email: str, *, role: str = "officer") -> Membership:
    """Somebody who is that to the tenant, and has a mail address."""
    user = users.add(
        user=User(username=f"member-{uuid.uuid4().hex[:8]}", email=email),
        password="correct horse battery",
        by=THE_SYSTEM,
    )
    return members.add(membership=Membership(tenant=tenant, user=user, role=role), by=THE_SYSTEM)


def a_job(tenant: Tenant, kind: str = "rotate_tenant_key") -> JobRun:
    """A long job that has ended."""
    with jobs.running(kind=kind, key=str(tenant.pk), tenant_id=tenant.pk, by=THE_SYSTEM) as progress:
        progress.at(10, 10, "wrapping")
    return progress.run
