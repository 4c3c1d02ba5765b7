"""The pages of retention, holds and approvals."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import Tenant, User
from compliance import signing
from compliance.models import Approval, LegalHold, PurgeRun, RetentionPolicy, Transcript
from compliance.purging import plans
from tests.factories import a_tenant
from tests.factories.compliance import a_subject
from tests.factories.retention import a_hold, a_hold_request, a_retention_policy, a_transcript, decide

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
TODAY = date(2023, 6, 15)
OLD = TODAY - timedelta(days=31)
TOMORROW = TODAY + timedelta(days=1)
DUE_TODAY = f"/admin/retention/?as_of={TODAY}"
PREVIEW = "/admin/compliance/retentionpolicy/preview/"
POLICY = {"data_class": "content", "days": "10", "reason": "as agreed", "floor_days": "0", "floor_basis": ""}


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "today", lambda: TODAY)
    monkeypatch.setattr(plans, "next_run", lambda: datetime(2023, 6, 16, 3, 40, tzinfo=UTC))


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


@pytest.fixture
def officer() -> Client:
    return signed_in("officer")


@pytest.fixture
def counsel() -> Client:
    return signed_in("counsel")


def signed_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(name, password="tests"))
    return client


class TestWhatIsDue:
    def test_it_reads_at_a_glance(self, officer: Client, acme: Tenant) -> None:
        for surrogate in ("eu_wanted", "eu_other", "eu_third"):
            a_transcript(acme.pk, OLD, surrogate=surrogate)
        a_hold(acme, scope="subject", surrogate="eu_wanted", title="Case 17")
        page = text_of(officer, DUE_TODAY)
        assert "2 rows are due, 1 more stays under legal holds" in page
        assert "kept 30 days (policy of the platform)" in page
        assert acme.name in page
        assert "Case 17" in page

    def test_the_run_removes_what_was_shown(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        shown = plan_on(officer.get(DUE_TODAY).content.decode())
        answer = officer.post("/admin/retention/", shown, follow=True)
        assert "Rows removed: 1." in answer.content.decode()
        assert not Transcript.objects.filter(tenant_id=acme.pk).exists()

    def test_it_refuses_when_something_changed_since(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        shown = plan_on(officer.get(DUE_TODAY).content.decode())
        a_transcript(acme.pk, OLD)
        answer = officer.post("/admin/retention/", shown, follow=True)
        assert "Look again" in answer.content.decode()
        assert Transcript.objects.filter(tenant_id=acme.pk).count() == 2

    def test_the_next_run_is_shown_first_and_counts_by_its_own_day(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD + timedelta(days=1))
        assert "Nothing is due" in text_of(officer, DUE_TODAY)
        page = text_of(officer, "/admin/retention/")
        assert "The next run removes 1 row" in page
        assert "on 2023-06-16 03:40 UTC" in page
        assert DUE_TODAY in page
        assert "Remove it now" not in page

    def test_another_day_can_be_looked_at_and_not_run(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD + timedelta(days=2))
        page = text_of(officer, f"/admin/retention/?as_of={TOMORROW + timedelta(days=1)}")
        assert "1 row is due" in page
        assert "Remove it now" not in page

    def test_who_may_not_run_may_look_at_most(self, acme: Tenant) -> None:
        client = Client()
        client.force_login(User.objects.create_user("viewer", password="tests", is_staff=True))
        assert client.get("/admin/retention/").status_code == 403
        assert client.post("/admin/retention/", {"as_of": TODAY}).status_code == 403

    def test_the_report_can_be_taken_away_and_verifies(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        officer.post("/admin/retention/", plan_on(officer.get(DUE_TODAY).content.decode()))
        row = PurgeRun.objects.latest("pk")
        page = text_of(officer, f"/admin/compliance/purgerun/{row.pk}/change/")
        assert f"{row.pk}/report.json" in page
        answer = officer.get(f"/admin/compliance/purgerun/{row.pk}/report.json")
        assert signing.verify(json.loads(answer.content), public=signing.public_keys())


class TestPolicies:
    def test_the_preview_counts_by_what_stands_in_the_form(self, officer: Client, acme: Tenant) -> None:
        for days in (5, 10, 20):  # the one in the middle is due by tomorrow's run, and not today
            a_transcript(acme.pk, TODAY - timedelta(days=days))
        answer = officer.post(PREVIEW, {**POLICY, "tenant": acme.pk}).content.decode()
        assert "2 rows would go with the run of 2023-06-16 03:40 UTC, kept 10 days." in answer
        assert not RetentionPolicy.objects.filter(tenant=acme).exists()

    def test_the_preview_of_a_stored_one_changes_nothing(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, TODAY - timedelta(days=20))
        policy = a_retention_policy(acme, days=25)
        answer = officer.post(PREVIEW, {**POLICY, "policy": policy.pk}).content.decode()
        assert "1 row would go with the run" in answer
        policy.refresh_from_db()
        assert policy.days == 25

    def test_the_preview_says_what_holds_keep(self, officer: Client, acme: Tenant) -> None:
        a_transcript(acme.pk, TODAY - timedelta(days=20))
        a_transcript(acme.pk, TODAY - timedelta(days=20), surrogate="eu_wanted")
        a_hold(acme, scope="subject", surrogate="eu_wanted", title="Case 17")
        answer = officer.post(PREVIEW, {**POLICY, "tenant": acme.pk}).content.decode()
        assert "1 row would go" in answer
        assert "1 more is due and kept by legal holds" in answer
        assert "Case 17" in answer

    def test_less_than_the_law_requires_is_refused_with_the_law(self, officer: Client, acme: Tenant) -> None:
        fields = {**POLICY, "tenant": acme.pk, "data_class": "metadata"}
        assert "At least 184 days are required by law (EU AI Act" in officer.post(PREVIEW, fields).content.decode()
        page = officer.post("/admin/compliance/retentionpolicy/add/", fields).content.decode()
        assert "At least 184 days are required by law (EU AI Act" in page
        assert not RetentionPolicy.objects.filter(tenant=acme).exists()

    def test_it_is_added_and_changed(self, officer: Client, acme: Tenant) -> None:
        fields = {**POLICY, "tenant": acme.pk}
        assert officer.post("/admin/compliance/retentionpolicy/add/", fields).status_code == 302
        policy = RetentionPolicy.objects.get(tenant=acme)
        url = f"/admin/compliance/retentionpolicy/{policy.pk}/change/"
        assert "preview.js" in text_of(officer, url)
        assert officer.post(url, {**POLICY, "days": "12"}).status_code == 302
        policy.refresh_from_db()
        assert (policy.days, policy.version) == (12, 2)

    def test_everybodys_cannot_be_removed(self, officer: Client) -> None:
        policy = RetentionPolicy.objects.get(tenant=None, data_class="content")
        officer.post(f"/admin/compliance/retentionpolicy/{policy.pk}/delete/", {"post": "yes"})
        assert RetentionPolicy.objects.filter(pk=policy.pk).exists()


class TestHolds:
    FIELDS = {"title": "Case 17", "matter": "17 O 4/26", "reason": "a court case"}

    def test_one_asks_and_another_approves(self, officer: Client, counsel: Client, acme: Tenant) -> None:
        page = officer.post(
            "/admin/compliance/legalhold/add/", {**self.FIELDS, "tenant": acme.pk, "scope": "tenant"}, follow=True
        ).content.decode()
        assert "keeps nothing yet: another person has to approve it" in page
        hold = LegalHold.objects.get(tenant=acme)
        approval = Approval.objects.get(target_kind="legalhold", target_id=str(hold.pk))
        url = f"/admin/compliance/approval/{approval.pk}"
        own, others = text_of(officer, f"{url}/change/"), text_of(counsel, f"{url}/change/")
        assert "Place the legal hold Case 17" in own
        assert "You asked for this yourself" in own
        assert [f"{url}/approve/" in shown for shown in (own, others)] == [False, True]
        assert "Approve: Place the legal hold Case 17?" in text_of(counsel, f"{url}/approve/")
        answer = officer.post(f"{url}/approve/", {"reason": "me too"}, follow=True)
        assert "another person has to agree" in answer.content.decode()
        counsel.post(f"{url}/approve/", {"reason": "so it is"})
        hold.refresh_from_db()
        assert hold.state == "active"

    def test_a_person_is_found_by_the_applications_id_which_is_not_kept(self, officer: Client, acme: Tenant) -> None:
        subject = a_subject(acme, "jane@example.com")
        fields = {**self.FIELDS, "tenant": acme.pk, "scope": "subject", "person": "jane@example.com"}
        assert officer.post("/admin/compliance/legalhold/add/", fields).status_code == 302
        assert LegalHold.objects.get(tenant=acme).surrogate == subject.surrogate

    def test_what_it_covers_leads_to_the_person(self, officer: Client, acme: Tenant) -> None:
        subject = a_subject(acme)
        hold = a_hold_request(acme, scope="subject", surrogate=subject.surrogate)
        for url in ("/admin/compliance/legalhold/", f"/admin/compliance/legalhold/{hold.pk}/change/"):
            assert f"/admin/compliance/subject/{subject.pk}/change/" in text_of(officer, url)

    def test_nobody_is_refused(self, officer: Client, acme: Tenant) -> None:
        fields = {**self.FIELDS, "tenant": acme.pk, "scope": "subject", "person": "nobody@example.com"}
        page = officer.post("/admin/compliance/legalhold/add/", fields).content.decode()
        assert "nobody who is known by this" in page
        assert not LegalHold.objects.filter(tenant=acme).exists()

    @pytest.mark.parametrize(
        ("scope", "field"),
        [("subject", "person"), ("key", "api_key_id"), ("period", "since"), ("query", "application_id")],
    )
    def test_what_the_scope_needs_is_asked_for_at_the_field(
        self, officer: Client, acme: Tenant, scope: str, field: str
    ) -> None:
        answer = officer.post("/admin/compliance/legalhold/add/", {**self.FIELDS, "tenant": acme.pk, "scope": scope})
        assert list(answer.context["adminform"].form.errors) == [field]

    def test_before_it_is_saved_it_says_how_much_it_would_cover(self, officer: Client, acme: Tenant) -> None:
        subject = a_subject(acme, "jane@example.com")
        for model in ("gpt-4o", "gpt-4o", "other"):
            a_transcript(acme.pk, TODAY, surrogate=subject.surrogate, model=model)
        a_transcript(acme.pk, TODAY, model="gpt-4o")
        asked = {"tenant": acme.pk, "scope": "query", "person": "jane@example.com", "model": "gpt-4o"}
        url = "/admin/compliance/legalhold/preview/"
        assert "This would cover 2 conversations." in officer.post(url, asked).content.decode()
        assert (
            "This would cover 4 conversations."
            in officer.post(url, {"tenant": acme.pk, "scope": "tenant"}).content.decode()
        )
        assert "Name the person" in officer.post(url, {"tenant": acme.pk, "scope": "subject"}).content.decode()
        assert not LegalHold.objects.filter(tenant=acme).exists()

    def test_its_release_is_asked_for_with_a_reason(self, officer: Client, acme: Tenant) -> None:
        hold = a_hold(acme)
        officer.post(f"/admin/compliance/legalhold/{hold.pk}/release/", {"reason": "over"})
        hold.refresh_from_db()
        assert hold.state == "release_requested"

    def test_it_can_neither_be_changed_nor_deleted(self, officer: Client, acme: Tenant) -> None:
        hold = a_hold(acme)
        url = f"/admin/compliance/legalhold/{hold.pk}"
        assert officer.post(f"{url}/change/", {**self.FIELDS, "title": "Other"}).status_code == 403
        assert officer.post(f"{url}/delete/", {"post": "yes"}).status_code == 403

    def test_lists_show_them(self, officer: Client, acme: Tenant) -> None:
        hold = a_hold_request(acme, scope="query", model="gpt-4o", environment="dev")
        assert "dev, gpt-4o" in text_of(officer, "/admin/compliance/legalhold/")
        assert hold.title in text_of(officer, "/admin/compliance/approval/")
        decide(hold)
        assert hold.title in text_of(officer, f"/admin/compliance/legalhold/{hold.pk}/change/")


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def plan_on(page: str) -> dict[str, str]:
    """The fields of the form that removes what is shown."""
    fields = {}
    for name in ("as_of", "plan_hash"):
        fields[name] = page.split(f'type="hidden" name="{name}" value="')[1].split('"')[0]
    return fields
