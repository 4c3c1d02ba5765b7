"""Random policies, holds, writes and purges against a model that is ten lines long: nothing outlives its time, nothing
held is lost, and what a plan lists is what its run removes."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.models import Tenant
from compliance.actions import holds, purges, retention
from compliance.errors import PlanChanged
from compliance.models import LegalHold, RetentionPolicy, Transcript
from compliance.purgers import Scope
from compliance.purging import plans, sources, transcripts
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.retention import a_day_of, a_hold, a_retention_policy, a_transcript, release

BEGIN = date(2023, 1, 30)
DEFAULT = 30
DAYS = st.integers(1, 40)
FLOOR = st.sampled_from([0, 0, 10, 25, 35])
WHO = st.integers(0, 1)
PERSON = st.sampled_from(["eu_one", "eu_two"])
KEY = st.sampled_from([None, 1, 2])
AGE = st.integers(0, 45)


@dataclass(frozen=True)
class Row:
    tenant: int
    surrogate: str
    key: int | None
    written: date


@dataclass(frozen=True)
class Hold:
    """Covers as the words say: the person, the key (or who knows which), from a day on; all that is given."""

    tenant: int
    surrogate: str = ""
    key: int | None = None
    since: date | None = None

    def covers(self, row: Row) -> bool:
        return (
            self.tenant == row.tenant
            and self.surrogate in ("", row.surrogate)
            and (self.key is None or row.key in (None, self.key))
            and (self.since is None or row.written >= self.since)
        )


class Retention(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.today = BEGIN
        self.rows: dict[UUID, Row] = {}
        self.days: dict[int, int] = {}
        self.floors: dict[int | None, int] = {}
        self.holds: dict[int, Hold] = {}
        self._patches = (
            mock.patch.object(plans, "today", lambda: self.today),  # noqa: PT008 - it goes on
            mock.patch.object(sources, "SLICE", 3),
            mock.patch.object(transcripts, "SLICE", 3),
        )
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        for patch in self._patches:
            patch.start()

    def teardown(self) -> None:
        for patch in self._patches:
            patch.stop()
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)

    @initialize()
    def tenants(self) -> None:
        self.tenant: list[Tenant] = [a_tenant("acme"), a_tenant("umbrella")]

    # --- what happens --------------------------------------------------------------------------------------------

    @rule(who=WHO, person=PERSON, key=KEY, age=AGE, count=st.integers(1, 5))
    def write(self, who: int, person: str, key: int | None, age: int, count: int) -> None:
        row = Row(self.tenant[who].pk, person, key, self.today - timedelta(days=age))
        for _ in range(count):
            number = a_transcript(row.tenant, row.written, surrogate=person, api_key_id=key)
            self.rows[number] = row

    @rule(ahead=st.integers(-10, 45))
    def make_a_partition(self, ahead: int) -> None:
        a_day_of(self.today + timedelta(days=ahead))

    @rule(who=WHO, days=DAYS, floor=FLOOR)
    def set_a_policy(self, who: int, days: int, floor: int) -> None:
        """One that keeps for less than the law requires, of the tenant or of everybody, is refused."""
        tenant = self.tenant[who]
        if days < max(floor, self.floors.get(None, 0)):
            with pytest.raises(ValidationError), transaction.atomic():
                self._put(tenant, days, floor)
            return
        self._put(tenant, days, floor)
        self.days[tenant.pk], self.floors[tenant.pk] = days, floor

    @rule(floor=FLOOR)
    def require_of_all(self, floor: int) -> None:
        self._put(None, max(DEFAULT, floor), floor)
        self.floors[None] = floor

    @rule(who=WHO)
    def remove_a_policy(self, who: int) -> None:
        for policy in RetentionPolicy.objects.filter(tenant=self.tenant[who]):
            retention.remove(policy=policy, by=THE_SYSTEM)
            del self.days[self.tenant[who].pk], self.floors[self.tenant[who].pk]

    @rule(who=WHO, person=PERSON)
    def hold_a_person(self, who: int, person: str) -> None:
        self._hold(Hold(self.tenant[who].pk, surrogate=person), who, scope="subject", surrogate=person)

    @rule(who=WHO, key=st.integers(1, 2))
    def hold_a_key(self, who: int, key: int) -> None:
        self._hold(Hold(self.tenant[who].pk, key=key), who, scope="key", api_key_id=key)

    @rule(who=WHO, age=AGE)
    def hold_a_period(self, who: int, age: int) -> None:
        day = self.today - timedelta(days=age)
        since = datetime.combine(day, time(), UTC)
        self._hold(Hold(self.tenant[who].pk, since=day), who, scope="period", since=since)

    @rule(which=st.integers(0, 5))
    def release_a_hold(self, which: int) -> None:
        if self.holds:
            number = sorted(self.holds)[which % len(self.holds)]
            release(LegalHold.objects.get(pk=number))
            del self.holds[number]

    @rule()
    def settle(self) -> None:
        holds.settle(by=THE_SYSTEM)

    @rule(days=st.integers(1, 15))
    def sleep(self, days: int) -> None:
        self.today += timedelta(days=days)

    # --- what must hold ------------------------------------------------------------------------------------------

    @rule()
    def purge(self) -> None:
        gone = {number for number, row in self.rows.items() if self._is_due(row) and not self._is_held(row)}
        plan = plans.make(Scope(as_of=self.today))
        lines = {line.tenant_id: line for line in plan.lines}
        due = Counter(self.rows[number].tenant for number in gone)
        kept = Counter(row.tenant for row in self.rows.values() if self._is_due(row) and self._is_held(row))
        assert {pk: line.rows for pk, line in lines.items() if line.rows} == due
        assert {pk: line.held_rows for pk, line in lines.items() if line.held_rows} == kept
        row = purges.run(plan_hash=plan.hash, as_of=self.today, by=THE_SYSTEM)
        assert (row.state, row.removed_rows, row.kept_rows) == ("done", len(gone), kept.total())
        for number in gone:
            del self.rows[number]

    @rule(who=WHO)
    def refuse_what_was_not_looked_at(self, who: int) -> None:
        plan = plans.make(Scope(as_of=self.today))
        tenant, written = self.tenant[who].pk, self.today - timedelta(days=100)
        row = Row(tenant, "eu_late", 9, written)
        self.rows[a_transcript(tenant, written, surrogate="eu_late", api_key_id=9)] = row
        with pytest.raises(PlanChanged):
            purges.run(plan_hash=plan.hash, as_of=self.today, by=THE_SYSTEM)

    @invariant()
    def nothing_is_lost_and_nothing_comes_back(self) -> None:
        numbers = [tenant.pk for tenant in getattr(self, "tenant", ())]
        assert set(Transcript.objects.filter(tenant_id__in=numbers).values_list("pk", flat=True)) == self.rows.keys()

    def _is_due(self, row: Row) -> bool:
        required = max(self.floors.get(None, 0), self.floors.get(row.tenant, 0))
        wanted = self.days.get(row.tenant, max(DEFAULT, self.floors.get(None, 0)))
        return (self.today - row.written).days > max(required, wanted)

    def _put(self, tenant: Tenant | None, days: int, floor: int) -> None:
        policy = RetentionPolicy.objects.filter(tenant=tenant, data_class="content").first()
        law: dict[str, Any] = {"floor_days": floor, "floor_basis": "a law" if floor else ""}
        if policy is None:
            assert tenant
            a_retention_policy(tenant, days=days, **law)
            return
        policy.days, policy.reason = days, "as agreed"
        policy.floor_days, policy.floor_basis = floor, law["floor_basis"]
        retention.change(policy=policy, by=THE_SYSTEM)

    def _is_held(self, row: Row) -> bool:
        return any(hold.covers(row) for hold in self.holds.values())

    def _hold(self, hold: Hold, who: int, **fields: Any) -> None:
        self.holds[a_hold(self.tenant[who], **fields).pk] = hold


@pytest.mark.usefixtures("databases")
@pytest.mark.opens_transactions("each example is rolled back as a whole")
@pytest.mark.timeout(300)
def test_nothing_outlives_its_time_and_nothing_held_is_lost() -> None:
    run_state_machine_as_test(
        Retention,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
