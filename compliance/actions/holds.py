"""What can be done with legal holds. One person asks, another one agrees; both for placing one and for lifting it."""

import contextlib
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from compliance import holds, rows
from compliance.actions import approvals, jobs
from compliance.contracts import Actor, Target
from compliance.errors import ActionRefused, AlreadyRunning
from compliance.models import Approval, Erasure, LegalHold
from compliance.purgers import Done, Step, Steps, take
from compliance.purging import plans, transcripts
from compliance.retention import take_turn

PLACED, RELEASED = "legal_hold.placed", "legal_hold.released"
SETTLES = timedelta(minutes=1)
"""For how long a statement that had begun before a hold may still store a row beside it."""


@transaction.atomic
def request(*, hold: LegalHold, by: Actor) -> LegalHold:
    """Asks for a hold. It keeps nothing until another person approves.

    Raises:
        ValidationError: the conditions do not fit the scope.
        ActionRefused: the tenant has left, and nothing of it can be read any more.
    """
    _require_something_to_keep(hold.tenant_id)
    hold.state, hold.requested_by = LegalHold.State.REQUESTED, approvals.name_of(by=by)
    rows.create(hold, by=by, reason=hold.reason)
    approvals.ask(action=PLACED, target=_target(hold), tenant_id=hold.tenant_id, reason=hold.reason, by=by)
    return hold


@transaction.atomic
def request_release(*, hold: LegalHold, by: Actor, reason: str) -> LegalHold:
    """Asks to lift a hold. It goes on to keep what it covers until another person approves.

    Raises:
        ActionRefused: it is not active.
    """
    row = _locked(hold.pk)
    if row.state != LegalHold.State.ACTIVE:
        raise ActionRefused(f"Only an active hold can be released. This one: {row.get_state_display().lower()}.")
    _move(row, LegalHold.State.RELEASE_REQUESTED, by=by, reason=reason)
    approvals.ask(action=RELEASED, target=_target(row), tenant_id=row.tenant_id, reason=reason, by=by)
    return row


def settle(*, by: Actor) -> int:
    """Sets apart what holds cover since they were approved, and puts back what none covers any more, in slices.

    Nothing depends on it: purges and erasures ask the holds themselves. Returns how many rows moved.
    """
    open_ones = LegalHold.objects.filter(marked_at=None, state__in=(*LegalHold.IN_FORCE, LegalHold.State.RELEASED))
    moved = 0
    for hold in open_ones:
        with contextlib.suppress(AlreadyRunning):
            moved += _settle(hold, by=by)
    return moved


def _settle(hold: LegalHold, *, by: Actor) -> int:
    """Again until some time after the hold began or ended: a statement under way then may have stored a row since."""
    began, moved = timezone.now(), 0
    with jobs.running(kind="legal_hold", key=str(hold.pk), tenant_id=hold.tenant_id, by=by) as progress:

        def perform(step: Step) -> Done:
            nonlocal moved
            with transaction.atomic():
                done = step()
            moved += done.moved
            progress.at(moved, step=hold.get_state_display())
            return done

        take(_steps_of(hold), perform)
        progress.result = {"rows": moved}
    changed_at = hold.released_at or hold.active_at
    if changed_at and began - changed_at >= SETTLES:
        LegalHold.objects.filter(pk=hold.pk, state=hold.state).update(marked_at=timezone.now())
    return moved


def _steps_of(hold: LegalHold) -> Steps:
    if hold.state == LegalHold.State.RELEASED:
        return transcripts.release(hold.tenant_id, plans.today())
    return transcripts.mark(hold)


# --- what the second person's decision does --------------------------------------------------------------------------


def _place(approval: Approval, by: Actor) -> None:
    take_turn()
    hold = _of(approval)
    _require_something_to_keep(hold.tenant_id)
    _move(hold, LegalHold.State.ACTIVE, by=by, reason=approval.reason, active_at=timezone.now())


def _require_something_to_keep(tenant_id: int) -> None:
    """Whoever asks in the turn of retention may count on the answer: keys are destroyed in a turn, too."""
    left = Erasure.objects.filter(tenant_id=tenant_id, surrogate="")
    if left.filter(Q(destroyed_at__isnull=False) | Q(ledger_number__isnull=False)).exists():
        raise ActionRefused("The tenant has left: its keys are destroyed, so that a hold would keep nothing readable.")


def _refuse(approval: Approval, by: Actor) -> None:
    _move(_of(approval), LegalHold.State.REFUSED, by=by, reason=approval.decision_reason)


def _release(approval: Approval, by: Actor) -> None:
    take_turn()
    hold = _of(approval)
    _move(hold, LegalHold.State.RELEASED, by=by, reason=approval.reason, released_at=timezone.now(), marked_at=None)
    holds.released(hold)


def _keep(approval: Approval, by: Actor) -> None:
    _move(_of(approval), LegalHold.State.ACTIVE, by=by, reason=approval.decision_reason)


approvals.on(PLACED, _place, dropped=_refuse)
approvals.on(RELEASED, _release, dropped=_keep)

VERBS = {
    LegalHold.State.ACTIVE: "placed",
    LegalHold.State.REFUSED: "refused",
    LegalHold.State.RELEASE_REQUESTED: "release_requested",
    LegalHold.State.RELEASED: "released",
}


def _move(hold: LegalHold, state: LegalHold.State, *, by: Actor, reason: str, **values: datetime | None) -> None:
    was, hold.state = hold.state, state
    for name, value in values.items():
        setattr(hold, name, value)
    verb = (
        "release_refused"
        if (was, state) == (LegalHold.State.RELEASE_REQUESTED, LegalHold.State.ACTIVE)
        else VERBS[state]
    )
    rows.change(hold, by=by, verb=verb, reason=reason, fields=("state", *values))


def _of(approval: Approval) -> LegalHold:
    return _locked(int(approval.target_id))


def _locked(pk: int) -> LegalHold:
    return LegalHold.objects.select_for_update().get(pk=pk)


def _target(hold: LegalHold) -> Target:
    return Target(kind="legalhold", id=str(hold.pk))
