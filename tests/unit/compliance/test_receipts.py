"""Receipts hold the fields of ISO/IEC TS 27560, and nobody's name."""

import uuid
from datetime import UTC, datetime

from compliance import receipts
from compliance.models import ConsentNotice, ConsentRecord

NOTICE = ConsentNotice(
    purpose="training",
    version=3,
    language="de",
    title="Was wir lernen",
    text="Wir lernen aus dem, was Sie schreiben.",
    text_sha256="ab" * 32,
    published_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    controller="Acme GmbH, Weg 1, Stadt",
    personal_data=["prompts"],
    recipients=["Umbrella"],
    storage_location="Frankfurt",
    retention="30 days",
    withdrawal_method="Settings, Privacy",
    authority="LfDI",
    rights=["access"],
)
RECORD = ConsentRecord(
    record_id=uuid.UUID(int=1),
    receipt_id=uuid.UUID(int=2),
    purpose="training",
    state="given",
    event_at=datetime(2026, 2, 3, tzinfo=UTC),
    expires_at=datetime(2027, 2, 3, tzinfo=UTC),
    collection_method="sign-up",
    jurisdiction="EU",
)


def test_it_holds_every_field_that_the_standard_names() -> None:
    assert receipts.document(RECORD, notice=NOTICE, surrogate="eu_x") == {
        "schema_version": "ISO 27560:2023",
        "receipt_id": "00000000-0000-0000-0000-000000000002",
        "record_id": "00000000-0000-0000-0000-000000000001",
        "pii_principal_id": "eu_x",
        "notice": {
            "version": 3,
            "language": "de",
            "title": "Was wir lernen",
            "sha256": "ab" * 32,
            "published_at": "2026-01-02T03:04:05+00:00",
        },
        "processing": {
            "purpose": "training",
            "lawful_basis": "consent",
            "pii_categories": ["prompts"],
            "pii_controller": "Acme GmbH, Weg 1, Stadt",
            "recipients": ["Umbrella"],
            "storage_location": "Frankfurt",
            "retention_period": "30 days",
            "jurisdiction": "EU",
            "withdrawal_method": "Settings, Privacy",
            "rights": ["access"],
            "authority": "LfDI",
        },
        "event": {
            "type": "explicit",
            "state": "given",
            "time": "2026-02-03T00:00:00+00:00",
            "valid_until": "2027-02-03T00:00:00+00:00",
            "collection_method": "sign-up",
            "opted_out_by_gpc": False,
        },
    }


def test_what_was_never_set_is_none_and_not_missing() -> None:
    record = ConsentRecord(purpose="training", state="refused", event_at=datetime(2026, 2, 3, tzinfo=UTC))
    document = receipts.document(record, notice=ConsentNotice(purpose="training", version=1), surrogate="eu_x")
    assert document["event"]["valid_until"] is None
    assert document["notice"]["published_at"] is None


def test_each_state_comes_of_an_event_of_its_own_type() -> None:
    types = {ConsentRecord(state=each).event_type for each in ConsentRecord.State}
    assert len(types) == len(ConsentRecord.State)


def test_a_refusal_by_the_browser_is_told_from_one_by_the_person() -> None:
    assert ConsentRecord(state="refused").event_type == "refusal"
    assert ConsentRecord(state="refused", opted_out_by_gpc=True).event_type == "opt_out_signal"
