"""What is due goes, by a plan that says so before; nothing else does."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Tenant
from compliance import signing
from compliance.actions import jobs, purges, retention
from compliance.errors import ActionRefused, PlanChanged
from compliance.models import AuditEvent, ContentDecision, LegalHold, PurgeRun, RetentionPolicy, Transcript
from compliance.purgers import Done, Scope
from compliance.purging import partitions, plans, sources
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.retention import (
    a_day_of,
    a_decision,
    a_hold,
    a_retention_policy,
    a_transcript,
    release,
    the_day_due,
)

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
TODAY = date(2023, 6, 15)
OLD, KEPT = TODAY - timedelta(days=31), TODAY - timedelta(days=30)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "today", lambda: TODAY)


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def plan(**fields: Any) -> plans.Plan:
    return plans.make(Scope(as_of=TODAY, **fields))


def purge() -> PurgeRun:
    return purges.run(plan_hash=plan().hash, as_of=TODAY, by=THE_SYSTEM)


class TestContent:
    def test_it_works(self, acme: Tenant) -> None:
        gone, kept = a_transcript(acme.pk, OLD), a_transcript(acme.pk, KEPT)
        row = purge()
        assert [each.pk for each in Transcript.objects.filter(tenant_id=acme.pk)] == [kept]
        assert (row.state, row.removed_rows) == ("done", 1)
        assert gone != kept

    def test_a_day_that_is_due_is_dropped_and_no_row_deleted(self, acme: Tenant) -> None:
        day = the_day_due(acme.pk, OLD)
        a_day_of(day)
        for _ in range(50):
            a_transcript(acme.pk, OLD)
        with Statements() as statements:
            assert purge().removed_rows == 50
        assert statements.of("DELETE FROM transcript") == []
        assert len(statements.of("DROP TABLE")) == 1
        assert not exists(f"transcript_due_{day:%Y%m%d}")
        assert not Transcript.objects.filter(tenant_id=acme.pk).exists()

    def test_what_has_no_day_of_its_own_is_deleted_in_slices(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sources, "SLICE", 2)
        for _ in range(5):
            a_transcript(acme.pk, OLD)
        assert purge().removed == {"transcript": {str(acme.pk): 5}}
        events = AuditEvent.objects.filter(action="content.purged", tenant_id=acme.pk).order_by("id")
        assert [event.after["rows"] for event in events] == [2, 2, 1]

    @pytest.mark.parametrize("has_partitions", [True, False])
    def test_a_shortened_policy_holds_for_what_is_there(self, acme: Tenant, has_partitions: bool) -> None:
        written = TODAY - timedelta(days=20)
        if has_partitions:
            a_day_of(the_day_due(acme.pk, written))
        a_transcript(acme.pk, written)
        assert plan().rows == 0
        a_retention_policy(acme, days=10)
        assert purge().removed_rows == 1
        assert not Transcript.objects.filter(tenant_id=acme.pk).exists()

    def test_a_lengthened_policy_holds_for_what_is_there(self, acme: Tenant) -> None:
        umbrella = a_tenant("umbrella")
        a_day_of(the_day_due(acme.pk, OLD))
        number = a_transcript(acme.pk, OLD)
        a_transcript(umbrella.pk, OLD)
        a_retention_policy(acme, days=40)
        assert purge().removed == {"transcript": {str(umbrella.pk): 1}}
        row = Transcript.objects.get(pk=number)
        assert row.expires_on == OLD + timedelta(days=41)
        assert exists(f"transcript_due_{row.expires_on:%Y%m%d}")
        assert not exists(f"transcript_due_{TODAY:%Y%m%d}")

    def test_a_shortened_policy_moves_what_is_not_due_yet_to_its_day(self, acme: Tenant) -> None:
        written = TODAY - timedelta(days=5)
        a_day_of(the_day_due(acme.pk, written))
        a_transcript(acme.pk, written)
        a_retention_policy(acme, days=10)
        assert purge().removed_rows == 0
        assert Transcript.objects.get(tenant_id=acme.pk).expires_on == written + timedelta(days=11)

    def test_a_day_in_use_is_left_to_the_slices(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        a_day_of(the_day_due(acme.pk, OLD))
        a_transcript(acme.pk, OLD)

        def in_use(*_: Any, **__: Any) -> Done:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'in use' USING ERRCODE = 'lock_not_available'; END $$")
            raise AssertionError

        monkeypatch.setattr(partitions, "drop", in_use)
        assert purge().removed_rows == 1
        assert not Transcript.objects.filter(tenant_id=acme.pk).exists()

    def test_a_row_that_came_late_stops_the_drop(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        day = the_day_due(acme.pk, OLD)
        a_day_of(day)
        a_transcript(acme.pk, OLD)
        drop = partitions.drop

        def late(*args: Any, **fields: Any) -> Done:
            a_transcript(acme.pk, OLD)
            return drop(*args, **fields)

        monkeypatch.setattr(partitions, "drop", late)
        row = purge()
        assert (row.state, row.removed_rows) == ("stopped", 0)
        assert exists(f"transcript_due_{day:%Y%m%d}")

    def test_empty_days_of_the_past_go_too(self, acme: Tenant) -> None:
        a_day_of(TODAY)
        a_day_of(TODAY + timedelta(days=1))
        assert purge().removed_rows == 0
        assert not exists(f"transcript_due_{TODAY:%Y%m%d}")
        assert exists(f"transcript_due_{TODAY + timedelta(days=1):%Y%m%d}")


class TestHolds:
    def test_what_a_hold_covers_stays(self, acme: Tenant) -> None:
        a_day_of(the_day_due(acme.pk, OLD))
        held = a_transcript(acme.pk, OLD, surrogate="eu_wanted")
        a_transcript(acme.pk, OLD, surrogate="eu_other")
        hold = a_hold(acme, scope="subject", surrogate="eu_wanted")
        row = purge()
        assert (row.removed_rows, row.kept_rows) == (1, 1)
        assert Transcript.objects.get(tenant_id=acme.pk).pk == held
        assert row.plan["lines"][0]["held"] == {str(hold.pk): 1}

    def test_a_hold_wins_over_another_tenants_day(self, acme: Tenant) -> None:
        umbrella = a_tenant("umbrella")
        a_day_of(the_day_due(acme.pk, OLD))
        a_transcript(acme.pk, OLD)
        a_transcript(umbrella.pk, OLD)
        a_hold(acme)
        assert purge().removed == {"transcript": {str(umbrella.pk): 1}}
        assert Transcript.objects.get(tenant_id=acme.pk).held

    def test_after_its_release_what_is_due_goes(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        hold = a_hold(acme)
        assert purge().removed_rows == 0
        release(hold)
        assert purge().removed_rows == 1

    def test_a_row_under_several_holds_counts_once(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        first, second = a_hold(acme), a_hold(acme, scope="key", api_key_id=1)
        (line,) = plan().lines
        assert (line.held_rows, line.held) == (1, {first.pk: 1, second.pk: 1})


class TestPlans:
    def test_the_run_removes_exactly_what_the_plan_lists(self, acme: Tenant) -> None:
        umbrella = a_tenant("umbrella")
        for tenant, count in ((acme, 3), (umbrella, 2)):
            for _ in range(count):
                a_transcript(tenant.pk, OLD)
                a_decision(tenant.pk, date(2022, 1, 1))
        seen = plan()
        row = purges.run(plan_hash=seen.hash, as_of=TODAY, by=THE_SYSTEM)
        assert {(line.store, line.tenant_id): line.rows for line in seen.lines} == {
            (store, int(pk)): rows for store, by_tenant in row.removed.items() for pk, rows in by_tenant.items()
        }
        assert seen.rows == row.removed_rows == 10
        assert plan().rows == 0

    def test_one_more_row_refuses(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        seen = plan()
        a_transcript(acme.pk, OLD)
        self.refuses(seen)

    def test_one_row_less_refuses(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        seen = plan()
        Transcript.objects.filter(tenant_id=acme.pk).delete()
        self.refuses(seen)

    def test_a_changed_policy_refuses_even_if_the_counts_are_the_same(self, acme: Tenant) -> None:
        policy = a_retention_policy(acme, days=30)
        seen = plan()
        policy.days = 31
        retention.change(policy=policy, by=THE_SYSTEM)
        assert plan().lines == seen.lines
        self.refuses(seen)

    def test_a_hold_refuses_even_if_it_covers_nothing(self, acme: Tenant) -> None:
        seen = plan()
        a_hold(acme, scope="subject", surrogate="eu_nobody")
        self.refuses(seen)

    def test_a_hold_in_the_middle_of_a_run_stops_it(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sources, "SLICE", 1)
        for _ in range(3):
            a_transcript(acme.pk, OLD)
        at, held = jobs.Progress.at, list[LegalHold]()

        def after_the_first(progress: jobs.Progress, done: int, *args: Any, **fields: Any) -> None:
            if done == 1 and not held:
                held.append(a_hold(acme))
            at(progress, done, *args, **fields)

        monkeypatch.setattr(jobs.Progress, "at", after_the_first)
        row = purge()
        assert (row.state, row.removed_rows) == ("stopped", 1)
        assert Transcript.objects.filter(tenant_id=acme.pk).count() == 2
        assert row.report is not None
        assert row.report["payload"]["state"] == "stopped"

    def test_the_nightly_run_plans_anew(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        a_transcript(acme.pk, OLD)
        run, tries = purges.run, []

        def overtaken(**fields: Any) -> PurgeRun:
            tries.append(fields)
            if len(tries) == 1:
                a_transcript(acme.pk, OLD)
            return run(**fields)

        monkeypatch.setattr(purges, "run", overtaken)
        assert purges.run_nightly(by=THE_SYSTEM).removed_rows == 2
        assert len(tries) == 2

    def test_a_day_to_come_can_be_looked_at_only(self) -> None:
        tomorrow = TODAY + timedelta(days=1)
        seen = plans.make(Scope(as_of=tomorrow))
        with pytest.raises(ActionRefused, match="yet to come"):
            purges.run(plan_hash=seen.hash, as_of=tomorrow, by=THE_SYSTEM)

    def test_a_preview_counts_by_the_edited_policy(self, acme: Tenant) -> None:
        a_transcript(acme.pk, TODAY - timedelta(days=20))
        edited = RetentionPolicy(tenant=acme, data_class="content", days=10, reason="as agreed")
        assert plan(tenant_id=acme.pk, edited=edited).rows == 1
        assert plan(tenant_id=acme.pk).rows == 0

    def refuses(self, seen: plans.Plan) -> None:
        before = PurgeRun.objects.count()
        with pytest.raises(PlanChanged, match="Look again"):
            purges.run(plan_hash=seen.hash, as_of=TODAY, by=THE_SYSTEM)
        assert PurgeRun.objects.count() == before


class TestReports:
    def test_it_says_what_why_and_what_was_kept_by_which_hold(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        a_transcript(acme.pk, OLD, surrogate="eu_wanted")
        hold = a_hold(acme, scope="subject", surrogate="eu_wanted", title="Case 17", matter="17 O 4/26")
        row = purge()
        assert row.report is not None
        assert signing.verify(row.report, public=signing.public_keys())
        told = row.report["payload"]
        assert told["plan_hash"] == row.plan_hash
        assert told["lines"] == [
            {
                "store": "transcript",
                "what": "conversations",
                "tenant": acme.pk,
                "rows": 1,
                "removed": 1,
                "oldest": OLD.isoformat(),
                "why": "kept 30 days (policy of the platform)",
                "held_rows": 1,
                "held": {str(hold.pk): 1},
            }
        ]
        assert told["holds"] == [{"hold": hold.pk, "tenant": acme.pk, "title": "Case 17", "matter": "17 O 4/26"}]

    def test_an_altered_one_does_not_verify(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        report = purge().report
        assert report is not None
        report["payload"]["removed_rows"] = 0
        assert not signing.verify(report, public=signing.public_keys())

    def test_what_a_dead_process_left_is_ended_and_signed(self, acme: Tenant) -> None:
        left = PurgeRun.objects.create(as_of=TODAY, plan_hash="0" * 64, plan=plan().as_json(), started_by="tests")
        purge()
        left.refresh_from_db()
        assert (left.state, left.report is not None) == ("failed", True)

    def test_each_tenants_log_says_what_was_removed(self, acme: Tenant) -> None:
        a_transcript(acme.pk, OLD)
        row = purge()
        event = AuditEvent.objects.get(action="content.purged", tenant_id=acme.pk)
        assert (event.target_kind, event.target_id, event.after["rows"]) == ("purgerun", str(row.pk), 1)


class TestDecisions:
    def test_a_month_is_dropped_when_all_of_it_is_due(self, acme: Tenant) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT make_decision_partition('2022-01-01'), make_decision_partition('2022-12-01')")
        for written in (date(2022, 1, 1), date(2022, 1, 31), date(2022, 12, 12), date(2022, 12, 13)):
            a_decision(acme.pk, written)
        assert purge().removed == {"content_decision": {str(acme.pk): 3}}
        assert ContentDecision.objects.get(tenant_id=acme.pk).at == datetime(2022, 12, 13, 12, tzinfo=UTC)
        assert not exists("content_decision_2022_01")
        assert exists("content_decision_2022_12")

    def test_of_a_person_under_a_hold_they_stay(self, acme: Tenant) -> None:
        a_decision(acme.pk, date(2022, 1, 1), surrogate="eu_wanted")
        a_decision(acme.pk, date(2022, 1, 1), surrogate="eu_other")
        a_hold(acme, scope="subject", surrogate="eu_wanted")
        assert purge().removed_rows == 1
        assert ContentDecision.objects.get(tenant_id=acme.pk).surrogate == "eu_wanted"

    def test_a_hold_on_what_they_do_not_tell_covers_them(self, acme: Tenant) -> None:
        a_decision(acme.pk, date(2022, 1, 1))
        a_hold(acme, scope="key", api_key_id=1)
        assert purge().removed_rows == 0


def exists(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return bool(cursor.fetchone()[0])


class Statements:
    """What is sent to the database meanwhile."""

    def __enter__(self) -> "Statements":
        self._sent: list[str] = []
        self._wrapper = connection.execute_wrapper(self._keep)
        self._wrapper.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._wrapper.__exit__(*args)

    def of(self, part: str) -> list[str]:
        return [text for text in self._sent if part in text]

    def _keep(self, execute: Any, text: Any, params: Any, many: bool, context: Any) -> Any:
        cursor = context["cursor"]
        self._sent.append(text if isinstance(text, str) else text.as_string(cursor.cursor))
        return execute(text, params, many, context)
