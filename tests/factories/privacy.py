"""A row of each table of privacy, for the tests that look at every page."""

from datetime import date

from accounts.models import Tenant
from compliance.actions import audit_log, erasure, packs, purges, regimes
from compliance.models import Erasure, EvidencePack, Regime
from compliance.registry import Person
from tests.factories import THE_SYSTEM
from tests.factories.bundles import an_audit_export
from tests.factories.compliance import a_consent, a_content_policy, a_job, a_request, a_subject, a_transcript
from tests.factories.retention import a_hold_request, a_retention_policy
from tests.factories.siem import a_stream


def rows_of_privacy(tenant: Tenant) -> Erasure:
    """Somebody who is being erased, somebody who asks for something, and what is kept and removed of others."""
    gone = a_subject(tenant)
    begun = erasure.begin(person=Person(tenant.pk, gone.surrogate), request_id=None, by=THE_SYSTEM)
    a_content_policy(tenant)
    subject = a_subject(tenant)
    a_consent(subject)
    a_transcript(subject)
    a_request(subject)
    regimes.add(regime=Regime(tenant=tenant, slug="own", name="Our own", answer_count=30), by=THE_SYSTEM)
    a_retention_policy(tenant, 30)
    a_hold_request(tenant)
    a_job(tenant)
    an_audit_export(tenant)
    packs.request(pack=EvidencePack(first_day=date(2026, 1, 1), last_day=date(2026, 3, 31)), by=THE_SYSTEM)
    a_stream(transport="syslog_tls", host="siem.example", scope="tenant", tenant=tenant)
    purges.run_nightly(by=THE_SYSTEM)
    audit_log.checkpoint(by=THE_SYSTEM)
    return begun
