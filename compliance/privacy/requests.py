"""What people asked for."""

from collections.abc import Sequence
from typing import Any

from compliance import sealing
from compliance.actions import erasers
from compliance.models import (
    Rectification,
    Regime,
    RequestStep,
    SubjectExport,
    SubjectRequest,
    SubjectRequestEvent,
)
from compliance.privacy.common import EVIDENCE, opened, text
from compliance.registry import Class, Person
from compliance.registry import classified as of
from compliance.stores import eraser, table, tenants_eraser

REQUESTS_PURGER = "compliance_subjectrequest"


def _words(rows: Sequence[SubjectRequest]) -> list[dict[str, Any]]:
    def words_of(row: SubjectRequest) -> str | None:
        return text(row.subject, row.details, record_type=sealing.DETAILS, record_id=str(row.public_id))

    return [opened("details", row, words_of) for row in rows]


def _statements(rows: Sequence[Rectification]) -> list[dict[str, Any]]:
    def statement_of(row: Rectification) -> str | None:
        return text(row.subject, row.statement, record_type=sealing.RECTIFICATION, record_id=str(row.pk))

    return [opened("statement", row, statement_of) for row in rows]


def _words_left(person: Person) -> int:
    rows = SubjectRequest.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)
    return rows.exclude(details=None).count()


def _rectifications_left(person: Person) -> int:
    return Rectification.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate).count()


def _exports_left(person: Person) -> int:
    rows = SubjectExport.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)
    return rows.filter(deleted_at=None).count()


REQUESTS = (
    table(
        Regime,
        "Tenants' own deadlines",
        Class.POLICY,
        of(
            nothing="id tenant_id slug name acknowledge_count acknowledge_unit answer_count answer_unit extension_count"
            " opt_out_count weekend holidays moves pauses_for_identity pauses_for_clarification"
        ),
        tenant="tenant_id",
        why="By when a tenant answers people's requests.",
    ),
    table(
        SubjectRequest,
        "Requests of people",
        Class.REQUESTS,
        of(
            nothing="id public_id tenant_id purpose regime terms zone acknowledge_by due_on due_at because"
            " extended_at extension_reason paused_since paused_days told receipt_told code_expires_at code_attempts"
            " codes_made code_made_at duplicate_of_id",
            surrogate="subject_id",
            subject="right state state_before state_since received_at closed_at acknowledged_at identity"
            " identity_verified_at decided_at decision_reason result",
            content="details",
            staff="received_by decided_by",
            opens="code_hash",
        ),
        person="subject__surrogate",
        tenant="tenant_id",
        why="What people asked for and what became of it, with its deadlines.",
        opened=_words,
        erase=eraser(erasers.forget_words),
        erase_tenant=tenants_eraser(erasers.forget_tenants_words),
        remains=_words_left,
        withheld="That a request was made, and what came of it, is kept without a name (GDPR, 5(2); CCPA regulations,"
        " section 7101: 24 months).",
        purger=REQUESTS_PURGER,
    ),
    table(
        SubjectRequestEvent,
        "What happened to requests",
        Class.REQUESTS,
        of(nothing="id at kind before after details", surrogate="request_id", subject="reason", staff="by"),
        person="request__subject__surrogate",
        tenant="request__tenant_id",
        why="The history of each request.",
        withheld=EVIDENCE,
        purger=REQUESTS_PURGER,
    ),
    table(
        RequestStep,
        "Steps of requests",
        Class.REQUESTS,
        of(nothing="id position store title state rows attempts error try_at done_at", surrogate="request_id"),
        person="request__subject__surrogate",
        tenant="request__tenant_id",
        why="How far each request is.",
        withheld=EVIDENCE,
        purger=REQUESTS_PURGER,
    ),
    table(
        Rectification,
        "Corrections",
        Class.CONTENT,
        of(nothing="id tenant_id transcript_id created_at", surrogate="subject_id request_id", content="statement"),
        person="subject__surrogate",
        tenant="tenant_id",
        why="What people corrected, shown beside what it corrects (GDPR, article 16).",
        opened=_statements,
        erase=eraser(erasers.delete_rectifications),
        erase_tenant=tenants_eraser(erasers.delete_tenants_rectifications),
        remains=_rectifications_left,
        purger=REQUESTS_PURGER,
    ),
    table(
        SubjectExport,
        "Exports for people",
        Class.EXPORTS,
        of(
            nothing="id tenant_id key_id file_bytes zip_sha256 records manifest created_at expires_on deleted_at",
            surrogate="subject_id request_id",
            subject="downloads",
        ),
        person="subject__surrogate",
        tenant="tenant_id",
        why="Which copies of their data people were given. The files are encrypted under their own keys.",
        erase=eraser(erasers.delete_exports),
        erase_tenant=tenants_eraser(erasers.delete_tenants_exports),
        remains=_exports_left,
        withheld=EVIDENCE,
        purger=REQUESTS_PURGER,
    ),
)
