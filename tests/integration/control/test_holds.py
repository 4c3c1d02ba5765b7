"""Legal holds: placed and lifted by two people, and stronger than everything that deletes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.models import Tenant
from compliance import holds as reading
from compliance.actions import approvals, holds
from compliance.errors import ActionRefused, ApprovalRefused
from compliance.models import Approval, AuditEvent, JobRun, LegalHold, Transcript
from compliance.purging import plans, sources
from compliance.registry import Person
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.retention import (
    THE_COUNSEL,
    THE_OFFICER,
    a_hold,
    a_hold_request,
    a_retention_policy,
    a_transcript,
    decide,
    release,
)

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
TODAY = date(2023, 6, 15)
JANUARY = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "today", lambda: TODAY)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


class TestPlacing:
    def test_it_works(self, acme: Tenant) -> None:
        hold = a_hold(acme)
        assert (hold.state, hold.requested_by, hold.active_at is not None) == ("active", "user 1001", True)

    def test_it_keeps_nothing_before_a_second_person_agrees(self, acme: Tenant) -> None:
        hold = a_hold_request(acme)
        assert hold.state == "requested"
        assert not reading.in_force(acme.pk).exists()
        with pytest.raises(ApprovalRefused, match="another person"):
            decide(hold, by=THE_OFFICER)
        assert not reading.in_force(acme.pk).exists()

    def test_it_works_on_the_next_write(self, acme: Tenant) -> None:
        a_hold(acme, scope="subject", surrogate="eu_wanted")
        held, free = a_transcript(acme.pk, TODAY, surrogate="eu_wanted"), a_transcript(acme.pk, TODAY)
        assert Transcript.objects.get(pk=held).held
        assert not Transcript.objects.get(pk=free).held

    def test_refused_it_never_was(self, acme: Tenant) -> None:
        hold = a_hold_request(acme)
        approvals.reject(approval=open_approval(hold), by=THE_COUNSEL, reason="no such case")
        hold.refresh_from_db()
        assert hold.state == "refused"
        event = AuditEvent.objects.get(target_kind="legalhold", target_id=str(hold.pk), action="legalhold.refused")
        assert event.reason == "no such case"

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"scope": "subject"}, id="nobody"),
            pytest.param({"scope": "key"}, id="no key"),
            pytest.param({"scope": "period"}, id="no period"),
            pytest.param({"scope": "query"}, id="no query"),
            pytest.param({"scope": "tenant", "surrogate": "eu_wanted"}, id="the tenant, and yet a person"),
            pytest.param({"scope": "tenant", "model": "gpt-4o"}, id="the tenant, and yet a query"),
            pytest.param(
                {
                    "scope": "period",
                    "since": datetime(2023, 2, 1, tzinfo=UTC),
                    "until": datetime(2023, 1, 1, tzinfo=UTC),
                },
                id="backwards",
            ),
        ],
    )
    def test_conditions_must_fit_the_scope(self, acme: Tenant, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            a_hold_request(acme, **fields)


class TestReleasing:
    def test_it_takes_two_people_too(self, acme: Tenant) -> None:
        hold = a_hold(acme)
        holds.request_release(hold=hold, by=THE_OFFICER, reason="over")
        assert reading.in_force(acme.pk).get() == hold
        with pytest.raises(ApprovalRefused, match="another person"):
            decide(hold, by=THE_OFFICER)
        decide(hold)
        hold.refresh_from_db()
        assert (hold.state, hold.released_at is not None) == ("released", True)
        assert not reading.in_force(acme.pk).exists()

    def test_refused_it_goes_on(self, acme: Tenant) -> None:
        hold = a_hold(acme)
        holds.request_release(hold=hold, by=THE_OFFICER, reason="over")
        approvals.reject(approval=open_approval(hold), by=THE_COUNSEL, reason="there is an appeal")
        hold.refresh_from_db()
        assert hold.state == "active"
        holds.request_release(hold=hold, by=THE_OFFICER, reason="the appeal is over")

    @pytest.mark.parametrize("state", ["requested", "release_requested", "released"])
    def test_only_an_active_one_can_be_released(self, acme: Tenant, state: str) -> None:
        hold = a_hold_request(acme) if state == "requested" else a_hold(acme)
        if state == "release_requested":
            holds.request_release(hold=hold, by=THE_OFFICER, reason="over")
        if state == "released":
            release(hold)
        with pytest.raises(ActionRefused, match="Only an active hold"):
            holds.request_release(hold=hold, by=THE_OFFICER, reason="over")

    def test_who_waits_is_told(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[LegalHold] = []
        monkeypatch.setattr(reading, "_on_release", [])
        reading.on_release(told.append)
        hold = a_hold(acme)
        assert told == []
        release(hold)
        assert [(each.pk, each.state) for each in told] == [(hold.pk, "released")]

    def test_what_waits_and_fails_undoes_the_release(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(hold: LegalHold) -> None:
            raise ActionRefused("not now")

        monkeypatch.setattr(reading, "_on_release", [fail])
        hold = a_hold(acme)
        holds.request_release(hold=hold, by=THE_OFFICER, reason="over")
        with pytest.raises(ActionRefused, match="not now"):
            decide(hold)
        hold.refresh_from_db()
        assert (hold.state, open_approval(hold).state) == ("release_requested", "requested")


class TestGuard:
    """What the database itself refuses."""

    @pytest.mark.parametrize(
        "change",
        ["surrogate = 'eu_other'", "scope = 'tenant'", "until = now()", "requested_by = 'user 1002'", "tenant_id = 0"],
    )
    def test_what_it_covers_never_changes(self, acme: Tenant, change: str) -> None:
        hold = a_hold(acme, scope="subject", surrogate="eu_wanted")
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE compliance_legalhold SET {change} WHERE id = %s", [hold.pk])

    def test_it_is_never_deleted(self, acme: Tenant) -> None:
        hold = a_hold(acme)
        with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM compliance_legalhold WHERE id = %s", [hold.pk])

    @pytest.mark.parametrize("state", ["requested", "released", "refused"])
    def test_it_ends_only_by_its_own_states(self, acme: Tenant, state: str) -> None:
        hold = a_hold(acme)
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE compliance_legalhold SET state = %s WHERE id = %s", [state, hold.pk])


class TestCovering:
    ROW: dict[str, Any] = {
        "surrogate": "eu_wanted",
        "api_key_id": 7,
        "application_id": 8,
        "model": "gpt-4o",
        "environment": "production",
        "outcome": "completed",
    }
    AT = datetime(2023, 6, 1, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            pytest.param({"scope": "tenant"}, True, id="the whole tenant"),
            pytest.param({"scope": "subject", "surrogate": "eu_wanted"}, True, id="the person"),
            pytest.param({"scope": "subject", "surrogate": "eu_other"}, False, id="another person"),
            pytest.param({"scope": "key", "api_key_id": 7}, True, id="the key"),
            pytest.param({"scope": "key", "api_key_id": 8}, False, id="another key"),
            pytest.param({"scope": "period", "since": AT}, True, id="from that moment on"),
            pytest.param({"scope": "period", "since": AT + timedelta(seconds=1)}, False, id="from later on"),
            pytest.param({"scope": "period", "until": AT}, False, id="until that moment"),
            pytest.param({"scope": "period", "until": AT + timedelta(seconds=1)}, True, id="until later"),
            pytest.param({"scope": "query", "model": "gpt-4o", "outcome": "completed"}, True, id="a query"),
            pytest.param({"scope": "query", "model": "gpt-4o", "outcome": "failed"}, False, id="half of a query"),
            pytest.param({"scope": "query", "application_id": 8}, True, id="the application"),
            pytest.param({"scope": "query", "environment": "dev"}, False, id="another environment"),
        ],
    )
    def test_a_row_is_covered_by_what_matches_it(self, acme: Tenant, fields: dict[str, Any], expected: bool) -> None:
        number = a_transcript(acme.pk, self.AT, **self.ROW)
        hold = a_hold(acme, **fields)
        assert reading.covering(Person(acme.pk, "eu_wanted")) == ([hold] if expected else [])
        holds.settle(by=THE_SYSTEM)
        assert Transcript.objects.get(pk=number).held == expected

    def test_never_another_tenants(self, acme: Tenant) -> None:
        a_hold(a_tenant("umbrella"))
        assert reading.covering(Person(acme.pk, "eu_wanted")) == []

    def test_a_person_without_content_is_covered_by_name(self, acme: Tenant) -> None:
        hold = a_hold(acme, scope="subject", surrogate="eu_wanted")
        assert reading.covering(Person(acme.pk, "eu_wanted")) == [hold]
        assert reading.covering(Person(acme.pk, "eu_other")) == []

    def test_a_released_one_covers_nothing(self, acme: Tenant) -> None:
        release(a_hold(acme))
        assert reading.covering(Person(acme.pk, "eu_wanted")) == []


class TestSettling:
    def test_it_goes_in_slices_and_says_how_far_it_is(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sources, "SLICE", 2)
        monkeypatch.setattr("compliance.purging.transcripts.SLICE", 2)
        for _ in range(5):
            a_transcript(acme.pk, TODAY)
        hold = a_hold(acme)
        assert holds.settle(by=THE_SYSTEM) == 5
        assert Transcript.objects.filter(tenant_id=acme.pk, held=True).count() == 5
        run = JobRun.objects.get(kind="legal_hold", key=str(hold.pk))
        assert (run.state, run.done, run.result) == ("done", 5, {"rows": 5})

    def test_it_looks_again_until_no_write_can_have_missed_it(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold = a_hold(acme)
        holds.settle(by=THE_SYSTEM)
        hold.refresh_from_db()
        assert hold.marked_at is None
        monkeypatch.setattr(holds, "SETTLES", timedelta(0))
        holds.settle(by=THE_SYSTEM)
        hold.refresh_from_db()
        assert hold.marked_at is not None

    def test_after_a_release_rows_go_back_to_the_day_of_the_policy_in_force(self, acme: Tenant) -> None:
        number = a_transcript(acme.pk, TODAY)
        hold = a_hold(acme)
        holds.settle(by=THE_SYSTEM)
        a_retention_policy(acme, days=10)
        release(hold)
        holds.settle(by=THE_SYSTEM)
        row = Transcript.objects.get(pk=number)
        assert (row.held, row.expires_on) == (False, TODAY + timedelta(days=11))

    def test_what_another_hold_covers_stays_apart(self, acme: Tenant) -> None:
        number = a_transcript(acme.pk, TODAY, surrogate="eu_wanted")
        hold = a_hold(acme)
        a_hold(acme, scope="subject", surrogate="eu_wanted")
        holds.settle(by=THE_SYSTEM)
        release(hold)
        holds.settle(by=THE_SYSTEM)
        assert Transcript.objects.get(pk=number).held


def open_approval(hold: LegalHold) -> Approval:
    return Approval.objects.get(target_kind="legalhold", target_id=str(hold.pk), state="requested")
