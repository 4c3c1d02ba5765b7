"""Doors to what compliance does by the clock and off the request; `config/celery.py` has the times."""

import contextlib

from celery import shared_task
from django.conf import settings

from compliance.actions import (
    approvals,
    audit_exports,
    audit_log,
    backup_alarms,
    backups,
    consents,
    drills,
    erasure,
    erasure_alarms,
    exports,
    holds,
    offboarding,
    packs,
    purges,
    redactions,
    request_reminders,
    request_steps,
    rotations,
    siem_deliveries,
    signing_keys,
    tallies,
    transcripts,
    verification,
    withdrawn_content,
)
from compliance.contracts import SYSTEM, Actor
from compliance.errors import AlreadyRunning
from compliance.siem import lag


@shared_task
def tend_consents() -> int:
    """Marks consents that have expired, erases what a withdrawal has missed, and signs receipts that wait."""
    return consents.expire() + withdrawn_content.erase_missed(by=SYSTEM) + consents.sign_receipts()


@shared_task
def erase_withdrawn(record_id: int) -> int:
    return withdrawn_content.erase(record_id=record_id, by=SYSTEM)


@shared_task
def make_transcript_partitions() -> int:
    return transcripts.make_transcript_partitions()


@shared_task
def purge() -> int:
    return purges.run_nightly(by=Actor(kind="task", id="purge")).removed_rows


@shared_task
def verify_audit_log() -> int:
    """The findings; each run has a row of its own, and findings are announced."""
    return verification.verify(by=Actor(kind="task", id="verify_audit_log")).count


@shared_task
def redact_late_events() -> int:
    return redactions.redact_late(by=Actor(kind="task", id="redact_late_events"))


@shared_task
def settle_holds() -> int:
    return holds.settle(by=Actor(kind="task", id="settle_holds"))


@shared_task
def expire_approvals() -> int:
    return approvals.expire(by=Actor(kind="task", id="expire_approvals"))


@shared_task
def execute_subject_requests() -> int:
    return sum(request_steps.run_due(by=Actor(kind="task", id="execute_subject_requests")).values())


@shared_task
def remind_of_subject_requests() -> int:
    return request_reminders.remind(by=Actor(kind="task", id="remind_of_subject_requests"))


@shared_task
def delete_due_exports() -> int:
    by = Actor(kind="task", id="delete_due_exports")
    return exports.delete_due(by=by) + audit_exports.delete_due(by=by)


@shared_task
def make_audit_exports() -> int:
    return audit_exports.make_waiting(by=Actor(kind="task", id="make_audit_exports"))


@shared_task
def continue_erasures() -> dict[str, int]:
    """Goes on with erasures that were cut off, and with those that waited for a legal hold; tenants' come last."""
    counts = erasure.continue_all(by=SYSTEM)
    told = erasure_alarms.tell(by=SYSTEM)
    expired = offboarding.delete_due(by=SYSTEM)
    return {**counts, "told": told, "expired": expired, "tenants": offboarding.continue_all(by=SYSTEM)}


@shared_task
def make_evidence_packs() -> int:
    return packs.make_waiting(by=Actor(kind="task", id="make_evidence_packs"))


@shared_task
def delete_due_evidence_packs() -> int:
    return packs.delete_due(by=Actor(kind="task", id="delete_due_evidence_packs"))


@shared_task
def deliver_audit_log() -> int:
    """A task for each stream that may have something to deliver: one that hangs keeps none waiting."""
    return len([deliver_to_siem.apply_async((stream_id,), expires=60) for stream_id in lag.due()])


@shared_task
def deliver_to_siem(stream_id: int) -> int:
    return siem_deliveries.deliver(stream_id=stream_id, by=Actor(kind="task", id="deliver_to_siem"))


@shared_task
def rotate_due_keys() -> int:
    days = settings.TENANT_KEY_DAYS
    return len(rotations.rotate_due(days=days, by=Actor(kind="task", id="rotate_due_keys"))) if days else 0


@shared_task
def put_counts_on_record() -> int:
    """Makes audit events of refusals and failed sign-ins, of each minute that is over."""
    return tallies.put_on_record()


@shared_task
def back_up() -> int:
    with contextlib.suppress(AlreadyRunning):
        return len(backups.back_up(by=Actor(kind="task", id="back_up")))
    return 0


@shared_task
def restore_drill() -> str:
    with contextlib.suppress(AlreadyRunning):
        return drills.drill(by=Actor(kind="task", id="restore_drill")).state
    return ""


@shared_task
def look_at_backups() -> int:
    """Tells of backups and drills that are overdue; returns how many are."""
    return backup_alarms.tell(by=SYSTEM)


@shared_task
def checkpoint_audit_logs() -> dict[str, int]:
    """Also hands checkpoints out where there were no new events: of a sink that failed, for one."""
    signed = audit_log.checkpoint(by=Actor(kind="task", id="checkpoint_audit_logs"))
    return {"signed": len(signed), "delivered": audit_log.deliver()}


@shared_task
def look_at_audit_log() -> None:
    """Tells when events wait for their places for long."""
    audit_log.look(by=SYSTEM)


@shared_task
def rotate_signing_key() -> int:
    days = settings.SIGNING_KEY_DAYS
    return int(bool(days and signing_keys.rotate_due(days=days, by=Actor(kind="task", id="rotate_signing_key"))))
