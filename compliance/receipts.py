"""What a person holds as evidence of what they decided: the fields of ISO/IEC TS 27560:2023, as JSON. Pure.

Signed by `compliance.signing`. The person is named by the surrogate, so a receipt tells nobody who it is about.
"""

from typing import Any

from compliance.models import ConsentNotice, ConsentRecord

KIND = "consent_receipt"


def document(record: ConsentRecord, *, notice: ConsentNotice, surrogate: str) -> dict[str, Any]:
    """The receipt of one record."""
    return {
        "schema_version": record.schema_version,
        "receipt_id": str(record.receipt_id),
        "record_id": str(record.record_id),
        "pii_principal_id": surrogate,
        "notice": _notice(notice),
        "processing": _processing(record, notice),
        "event": _event(record),
    }


def _notice(notice: ConsentNotice) -> dict[str, Any]:
    return {
        "version": notice.version,
        "language": notice.language,
        "title": notice.title,
        "sha256": notice.text_sha256,
        "published_at": notice.published_at.isoformat() if notice.published_at else None,
    }


def _processing(record: ConsentRecord, notice: ConsentNotice) -> dict[str, Any]:
    return {
        "purpose": record.purpose,
        "lawful_basis": notice.lawful_basis,
        "pii_categories": list(notice.personal_data),
        "pii_controller": notice.controller,
        "recipients": list(notice.recipients),
        "storage_location": notice.storage_location,
        "retention_period": notice.retention,
        "jurisdiction": record.jurisdiction,
        "withdrawal_method": notice.withdrawal_method,
        "rights": list(notice.rights),
        "authority": notice.authority,
    }


def _event(record: ConsentRecord) -> dict[str, Any]:
    return {
        "type": record.event_type,
        "state": str(record.state),
        "time": record.event_at.isoformat(),
        "valid_until": record.expires_at.isoformat() if record.expires_at else None,
        "collection_method": record.collection_method,
        "opted_out_by_gpc": record.opted_out_by_gpc,
    }
