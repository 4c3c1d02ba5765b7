"""Removes what is due: exactly what a plan has counted, or nothing more."""

import contextlib
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.utils import timezone

from compliance import audit, retention, signing
from compliance.actions import approvals, jobs
from compliance.actions.jobs import Progress
from compliance.contracts import Actor
from compliance.errors import ActionRefused, KeyStoreUnavailable, PlanChanged
from compliance.models import PurgeRun
from compliance.purgers import PLATFORM, Done, Purger, Scope, Step, Work, take
from compliance.purging import plans, reports
from compliance.purging.plans import Plan

TRIES = 3
"""How often the nightly run plans anew where something changed between plan and run."""
BUSY = {"55P03", "40P01", "40001"}
"""SQL states: somebody else had the table or the row for longer than the step would wait."""
LOOK_AGAIN = "Something changed since you looked: more or less is due, or a policy or a hold is another. Look again."

Removed = dict[str, dict[str, int]]
"""Rows by store and by tenant's number, as the run's row has them."""

log = structlog.get_logger()


def run(*, plan_hash: str, as_of: date, by: Actor) -> PurgeRun:
    """Removes what is due on a day (UTC), if it is what the plan with that hash says.

    In short transactions; before each one policies and holds are compared with the plan's. Where they changed, or where
    more rows are due than the plan has counted, the run stops there, and its report says how far it got.

    Raises:
        PlanChanged: what is due is something else; nothing was removed.
        ActionRefused: the day is yet to come.
        AlreadyRunning: another run is under way.
    """
    if as_of > plans.today():
        raise ActionRefused("That day is yet to come. What will be due then can only be looked at.")
    with jobs.running(kind="purge", by=by) as progress:
        _tidy(by)
        plan = plans.make(Scope(as_of=as_of))
        if plan.hash != plan_hash:
            raise PlanChanged(LOOK_AGAIN)
        row = _Run(plan, progress, by).perform()
        progress.result = {"run": row.pk, "rows": row.removed_rows}
    return row


def run_nightly(*, by: Actor) -> PurgeRun:
    """Plans and runs; plans anew where something changed in between.

    Raises:
        PlanChanged: it changed each time.
        AlreadyRunning: another run is under way.
    """
    for _ in range(TRIES - 1):
        plan = plans.make(Scope(as_of=plans.today()))
        with contextlib.suppress(PlanChanged):
            row = run(plan_hash=plan.hash, as_of=plan.as_of, by=by)
            if row.state != PurgeRun.State.STOPPED:
                return row
    plan = plans.make(Scope(as_of=plans.today()))
    return run(plan_hash=plan.hash, as_of=plan.as_of, by=by)


class _Run:
    """One run under way: its row, and what it may still remove."""

    def __init__(self, plan: Plan, progress: Progress, by: Actor) -> None:
        self._plan, self._progress, self._by = plan, progress, by
        self._row = PurgeRun(as_of=plan.as_of, plan_hash=plan.hash, plan=plan.as_json(), kept_rows=plan.held_rows)

    def perform(self) -> PurgeRun:
        self._begin()
        try:
            for purger in plans.executed():
                self._purge(purger)
        except PlanChanged as error:
            _end(self._row, PurgeRun.State.STOPPED, by=self._by, error=str(error))
        except Exception as error:
            _end(self._row, PurgeRun.State.FAILED, by=self._by, error=type(error).__name__)
            raise
        else:
            _end(self._row, PurgeRun.State.DONE, by=self._by)
        return self._row

    @transaction.atomic
    def _begin(self) -> None:
        self._row.started_by = approvals.name_of(by=self._by)
        self._row.save(force_insert=True)
        _record("purge.started", self._row, by=self._by, after={"plan_hash": self._row.plan_hash})

    def _purge(self, purger: Purger) -> None:
        assert purger.steps is not None
        work = Work(as_of=self._plan.as_of, left={line.tenant_id: line.rows for line in self._plan.of(purger.name)})
        take(purger.steps(work), partial(self._perform, purger, work))

    def _perform(self, purger: Purger, work: Work, step: Step) -> Done:
        try:
            done, removed = self._committed(purger, work, step)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in BUSY:
                raise
            log.warning("what is due is in use; the next step or run removes it", store=purger.name, exc_info=True)
            return Done(is_busy=True)
        for tenant_id, rows in done.removed.items():
            work.left[tenant_id] -= rows
        self._row.removed, self._row.removed_rows = removed, _sum(removed)
        self._progress.at(self._row.removed_rows, self._plan.rows, step=purger.title)
        return done

    @transaction.atomic
    def _committed(self, purger: Purger, work: Work, step: Step) -> tuple[Done, Removed]:
        """The step, its events and its place in the report: all or none of them."""
        retention.take_turn()
        if not self._plan.is_current():
            raise PlanChanged(LOOK_AGAIN)
        done = step()
        for tenant_id, rows in done.removed.items():
            if rows > work.left.get(tenant_id, 0):
                raise PlanChanged(LOOK_AGAIN)
            self._record_step(purger, tenant_id, rows, done.how)
        removed = _added(self._row.removed, purger.name, done.removed)
        if removed != self._row.removed:
            PurgeRun.objects.filter(pk=self._row.pk).update(removed=removed, removed_rows=_sum(removed))
        return done, removed

    def _record_step(self, purger: Purger, tenant_id: int, rows: int, how: str) -> None:
        if rows:
            after = {"rows": rows, "how": how}
            of = None if tenant_id == PLATFORM else tenant_id
            _record(f"{purger.keeps}.purged", self._row, by=self._by, tenant_id=of, after=after)


def _added(removed: Removed, store: str, more: Mapping[int, int]) -> Removed:
    before = removed.get(store, {})
    added = {str(pk): before.get(str(pk), 0) + rows for pk, rows in more.items() if rows}
    return {**removed, store: {**before, **added}} if added else removed


def _sum(removed: Removed) -> int:
    return sum(sum(by_tenant.values()) for by_tenant in removed.values())


def _tidy(by: Actor) -> None:
    """Ends what a dead process has left, and signs what could not be signed while the keys were away."""
    for row in PurgeRun.objects.filter(state=PurgeRun.State.RUNNING):
        _end(row, PurgeRun.State.FAILED, by=by, error="Its process ended.")
    for row in PurgeRun.objects.filter(report=None).exclude(state=PurgeRun.State.RUNNING):
        PurgeRun.objects.filter(pk=row.pk).update(report=_signed(row))


@transaction.atomic
def _end(row: PurgeRun, state: PurgeRun.State, *, by: Actor, error: str = "") -> None:
    row.state, row.error, row.finished_at = state, error, timezone.now()
    row.report = _signed(row)
    row.save(force_update=True, update_fields=("state", "error", "finished_at", "report"))
    after = {"rows": row.removed_rows, "held_rows": row.kept_rows, "plan_hash": row.plan_hash}
    _record(f"purge.{state}", row, by=by, after=after)


def _signed(row: PurgeRun) -> dict[str, Any] | None:
    """The report; None while the keys cannot be reached: the next run signs it."""
    try:
        return signing.sign(reports.document(row), kind="purge_report")
    except KeyStoreUnavailable:
        log.warning("a purge report waits for its signature", run=row.pk)
        return None


def _record(action: str, row: PurgeRun, *, by: Actor, after: Mapping[str, Any], tenant_id: int | None = None) -> None:
    target = audit.target_of(row)
    audit.record(by=by, action=action, target=target, tenant_id=tenant_id, after=after)
