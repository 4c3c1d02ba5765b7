"""Erases what was stored with consents that were taken back. Legal holds win, then what a law requires to be kept; what
they keep goes when they end.

What counts is that no consent was given anew before something was written, and not the times that somebody told us.
"""

from datetime import timedelta
from importlib.resources import files

from django.db import connection, transaction
from django.utils import timezone

from compliance import audit
from compliance.contracts import Actor
from compliance.models import ConsentRecord, ContentPolicy
from compliance.retention import take_turn
from compliance.withdrawals import TAKEN_BACK

SLICE = 1000
_STATEMENTS = files("compliance").joinpath("sql", "withdrawn_content.sql").read_text(encoding="utf-8")
_DELETE, _SEVER, _LEFT = _STATEMENTS.split(";\n", 3)[:3]


def erase(*, record_id: int, by: Actor) -> int:
    """Erases what was stored before consent was given anew after this record; returns how many conversations.

    Where the tenant's policy keeps them until they are due, they only cease to be for this purpose. Idempotent: what
    was stored with a later consent stays.
    """
    record = ConsentRecord.objects.select_related("subject").get(pk=record_id)
    if record.state not in TAKEN_BACK:
        return 0
    severed = _all_slices(_SEVER, record, by=by, verb="content_severed")
    policy = ContentPolicy.objects.filter(pk=record.tenant_id).first()
    if policy is not None and policy.on_withdrawal == ContentPolicy.OnWithdrawal.KEEP:
        return severed
    return _all_slices(_DELETE, record, by=by, verb="content_erased")


def erase_missed(*, by: Actor, days: int = 7) -> int:
    """Erases what no task has, as the broker was down, or a hold or a law kept it; returns how many conversations.

    Looks at what was taken back, or need not be kept any more, within the last `days`.
    """
    since = timezone.now() - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"states": sorted(TAKEN_BACK), "since": since})
        found = [pk for (pk,) in cursor.fetchall()]
    return sum(erase(record_id=pk, by=by) for pk in found)


def _all_slices(statement: str, record: ConsentRecord, *, by: Actor, verb: str) -> int:
    """Runs the statement until nothing is left for it, each slice with its event in one transaction."""
    total, last = 0, SLICE
    while last == SLICE:
        last = _slice(statement, record, by=by, verb=verb)
        total += last
    return total


@transaction.atomic
def _slice(statement: str, record: ConsentRecord, *, by: Actor, verb: str) -> int:
    take_turn()  # or a hold, or a law, that is put on record right now would be overlooked
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "tenant": record.tenant_id,
                "surrogate": record.subject.surrogate,
                "purpose": record.purpose,
                "subject": record.subject_id,
                "record": record.pk,
                "most": SLICE,
            },
        )
        rows = int(cursor.rowcount)
    if rows:
        audit.record(
            by=by,
            action=f"consent.{verb}",
            target=audit.target_of(record),
            tenant_id=record.tenant_id,
            after={"surrogate": record.subject.surrogate, "purpose": record.purpose, "conversations": rows},
        )
    return rows
