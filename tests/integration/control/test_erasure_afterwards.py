"""What is left after an erasure: backups that still know something, and evidence, each for its time and no longer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from compliance import certificates, registry
from compliance.actions import purges
from compliance.models import ConsentRecord, Erasure, ErasureStep, Subject
from compliance.purging import plans
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent
from tests.integration.control.test_erasure import erased, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def test_backups_know_what_is_evicted_late_for_as_long_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is destroyed at once; what a store kept for three days more is in the backups of those days."""
    ada = somebody()
    stores = {each.name: each for each in registry.stores()}
    stuck = replace(stores["compliance.transcript"], erase=lambda person: 0)
    with monkeypatch.context() as patch:
        patch.setitem(registry._stores, "compliance.transcript", stuck)
        assert erased(ada).certificate is None
    begun = timezone.now() - timedelta(days=3)
    ErasureStep.objects.filter(state=ErasureStep.State.DONE).update(done_at=begun)
    Erasure.objects.update(fenced_at=begun, destroyed_at=begun)
    with override_settings(BACKUP_DAYS=7, BACKUP_WEEKS=0, KEYS_BACKUP_DAYS=8):
        told = (erased(ada).certificate or {})["payload"]
    assert told["irrecoverable_in_backups_by"] == (timezone.now() + timedelta(days=7)).date().isoformat()
    with override_settings(BACKUP_DAYS=7, BACKUP_WEEKS=4, KEYS_BACKUP_DAYS=8):
        assert irrecoverable_by(ada) == (timezone.now() + timedelta(days=28)).date().isoformat()
    with override_settings(BACKUP_DAYS=7, BACKUP_WEEKS=0, KEYS_BACKUP_DAYS=30):
        late = irrecoverable_by(ada)
    assert late == (begun + timedelta(days=30)).date().isoformat()


def irrecoverable_by(subject: Subject) -> str | None:
    return certificates.irrecoverable_by(Erasure.objects.get(surrogate=subject.surrogate))


def test_what_they_allowed_ends_and_goes_when_it_need_not_be_shown_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    a_consent(ada, "training")
    done = erased(ada)
    assert done.steps.get(name="evict compliance.consentrecord").erased == 2
    rows = ConsentRecord.objects.filter(subject=ada)
    assert {row.purpose: row.state for row in rows.filter(live=True)} == {
        "store_conversations": "terminated",
        "training": "terminated",
    }
    for days, left in ((2190, 4), (2191, 0)):
        day = timezone.now().date() + timedelta(days=days)
        monkeypatch.setattr(plans, "today", lambda day=day: day)
        purges.run_nightly(by=THE_SYSTEM)
        assert rows.count() == left
