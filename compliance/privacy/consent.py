"""What people decided."""

from compliance.actions import erasers
from compliance.consent_states import ALLOWING
from compliance.models import (
    ConsentNotice,
    ConsentRecord,
    ContentPolicy,
    Purpose,
)
from compliance.privacy.common import EVIDENCE
from compliance.registry import Class, Person
from compliance.registry import classified as of
from compliance.stores import eraser, table, tenants_eraser


def _consents_left(person: Person) -> int:
    rows = ConsentRecord.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)
    return rows.filter(live=True, state__in=ALLOWING).count()


CONSENT = (
    table(
        Purpose,
        "Purposes",
        Class.POLICY,
        of(nothing="id tenant_id slug name description honours_gpc"),
        tenant="tenant_id",
        why="What content may be kept or used for.",
    ),
    table(
        ConsentNotice,
        "Notices",
        Class.CONSENT,
        of(
            nothing="id tenant_id purpose version language title text text_sha256 material_change status published_at"
            " lawful_basis personal_data recipients storage_location jurisdiction retention withdrawal_method authority"
            " rights created_at",
            staff="controller",
        ),
        tenant="tenant_id",
        why="What people were told before they consented.",
        until="while a consent may refer to it; not removed yet",
    ),
    table(
        ConsentRecord,
        "Consents",
        Class.CONSENT,
        of(
            nothing="id record_id receipt_id schema_version tenant_id purpose notice_id notice_version live created_at",
            surrogate="subject_id",
            subject="state event_at expires_at collection_method jurisdiction opted_out_by_gpc receipt",
            staff="recorded_by",
        ),
        person="subject__surrogate",
        tenant="tenant_id",
        why="What each person decided, and when: whoever processes on consent must be able to show it (GDPR, 7(1)).",
        erase=eraser(erasers.end_consents),
        remains=_consents_left,
        withheld=EVIDENCE,
        erase_tenant=tenants_eraser(erasers.end_tenants_consents),
        purger="compliance_consentrecord",
    ),
    table(
        ContentPolicy,
        "Content policies",
        Class.POLICY,
        of(nothing="tenant_id store redaction processing_purpose on_withdrawal controller regime changed_at"),
        tenant="tenant_id",
        why="Whether a tenant's conversations are stored, and on what terms.",
    ),
)
