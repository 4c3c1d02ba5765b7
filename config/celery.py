"""The Celery app, and the one table of what runs when. All times are UTC."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_ready
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config import broker
from config.env import VAR_DIR
from config.queues import LONG, SHORT, TAKES_LONG

SCHEDULE: dict[str, dict[str, Any]] = {
    "move usage records to the main database": {"task": "billing.tasks.move_usage", "schedule": 1.0},
    "charge requests whose process was lost": {"task": "billing.tasks.sweep_holds", "schedule": 10.0},
    "look whether budgets and rates crossed a level": {"task": "billing.tasks.look_at_meters", "schedule": 15.0},
    "look at what was spent": {"task": "billing.tasks.look_at_spending", "schedule": 60.0},
    "deliver alerts": {"task": "billing.tasks.deliver_alerts", "schedule": 5.0},
    "make adjustments that wait for the ledger": {"task": "billing.tasks.apply_adjustments", "schedule": 15.0},
    "watch what pins the ledger": {"task": "billing.tasks.watch_ledger", "schedule": 5.0},
    "delete meters that say nothing any more": {"task": "billing.tasks.tidy_meters", "schedule": crontab(minute=50)},
    "make usage partitions ahead": {"task": "billing.tasks.make_partitions", "schedule": crontab(hour=0, minute=10)},
    "tend consents": {"task": "compliance.tasks.tend_consents", "schedule": crontab(minute=5)},
    "make transcript partitions ahead": {
        "task": "compliance.tasks.make_transcript_partitions",
        "schedule": crontab(minute=5),
    },
    "set apart what legal holds cover": {"task": "compliance.tasks.settle_holds", "schedule": 60.0},
    "close approvals that nobody gave": {"task": "compliance.tasks.expire_approvals", "schedule": crontab(minute=15)},
    "give audit events their places, and sign": {
        "task": "compliance.tasks.checkpoint_audit_logs",
        "schedule": 60.0,
    },
    "look whether audit events wait": {"task": "compliance.tasks.look_at_audit_log", "schedule": 60.0},
    "verify the audit log": {
        "task": "compliance.tasks.verify_audit_log",
        "schedule": crontab(hour=4, minute=30),
    },
    "redact what was written about erased people since": {
        "task": "compliance.tasks.redact_late_events",
        "schedule": crontab(hour=1, minute=30),
    },
    "purge what is due": {"task": "compliance.tasks.purge", "schedule": crontab(hour=3, minute=40)},
    "continue erasures": {"task": "compliance.tasks.continue_erasures", "schedule": 60.0},
    "go on with subject requests": {"task": "compliance.tasks.execute_subject_requests", "schedule": 10.0},
    "remind of subject requests": {
        "task": "compliance.tasks.remind_of_subject_requests",
        "schedule": crontab(hour=6, minute=30),
    },
    "make evidence packs": {"task": "compliance.tasks.make_evidence_packs", "schedule": 60.0},
    "delete evidence packs that are due": {
        "task": "compliance.tasks.delete_due_evidence_packs",
        "schedule": crontab(hour=2, minute=45),
    },
    "deliver the audit log": {"task": "compliance.tasks.deliver_audit_log", "schedule": 10.0},
    "make exports of the audit log": {"task": "compliance.tasks.make_audit_exports", "schedule": 10.0},
    "delete exports that are due": {
        "task": "compliance.tasks.delete_due_exports",
        "schedule": crontab(hour=2, minute=40),
    },
    "make the next signing key when it is due": {
        "task": "compliance.tasks.rotate_signing_key",
        "schedule": crontab(hour=4, minute=10),
    },
    "rotate tenant keys that are due": {
        "task": "compliance.tasks.rotate_due_keys",
        "schedule": crontab(hour=4, minute=20),
    },
    "put counts of refusals on record": {"task": "compliance.tasks.put_counts_on_record", "schedule": 15.0},
    "look for new credentials of providers": {
        "task": "gateway.tasks.poll_credentials",
        "schedule": float(settings.CREDENTIAL_POLL_S),
    },
    "compile dictionaries that were uploaded": {"task": "gateway.tasks.compile_dictionaries", "schedule": 10.0},
    "end keys that were seen in requests": {"task": "gateway.tasks.handle_leaks", "schedule": 5.0},
    "destroy old credentials of providers": {
        "task": "gateway.tasks.destroy_old_credentials",
        "schedule": crontab(hour=4, minute=50),
    },
    "make partitions of guard decisions ahead": {
        "task": "gateway.tasks.make_guard_decision_partitions",
        "schedule": crontab(minute=25),
    },
    "delete placeholders that are due": {
        "task": "gateway.tasks.purge_placeholders",
        "schedule": crontab(minute=20),
    },
    "rotate API keys that are due": {"task": "accounts.tasks.tend_keys", "schedule": crontab(minute=35)},
    "report keys that nobody uses": {
        "task": "accounts.tasks.report_unused_keys",
        "schedule": crontab(day_of_month=1, hour=7, minute=10),
    },
    "back up": {"task": "compliance.tasks.back_up", "schedule": crontab(hour=2, minute=0)},
    "try a restore": {
        "task": "compliance.tasks.restore_drill",
        "schedule": crontab(hour=5, minute=0, day_of_week="sun"),
    },
    "look whether backups and drills are overdue": {
        "task": "compliance.tasks.look_at_backups",
        "schedule": crontab(minute=25),
    },
    "drop old usage records": {"task": "billing.tasks.drop_old_usage", "schedule": crontab(hour=3, minute=20)},
}
EXPIRES_S = 10
CLOCK_EXPIRES_S = 6 * 60 * 60


def expires_s(schedule: float | crontab) -> float:
    """How long a task waits for a worker before it is dropped.

    One that comes at intervals waits until its next one is on the way: they must not pile up. One that comes by the
    clock waits until workers that were down for hours are back.
    """
    return CLOCK_EXPIRES_S if isinstance(schedule, crontab) else max(schedule, EXPIRES_S)


def configuration() -> dict[str, Any]:
    """Celery's settings."""
    return {
        "broker_url": settings.CELERY_BROKER_URL,
        **(_files() if settings.CELERY_BROKER_URL.startswith("filesystem:") else {}),
        "broker_connection_retry_on_startup": True,
        "beat_schedule": {
            name: {**entry, "options": {"expires": expires_s(entry["schedule"])}} for name, entry in SCHEDULE.items()
        },
        "beat_schedule_filename": str(VAR_DIR / "celery" / "schedule"),
        "task_default_queue": SHORT,
        "task_ignore_result": True,
        # Both are named, so that a worker that is told of none takes from both.
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in (SHORT, LONG)],
        "task_routes": {task: {"queue": LONG} for task in TAKES_LONG},
        "timezone": "UTC",
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
    }


def _files() -> dict[str, Any]:
    return {
        "broker_url": "filesystem://localhost",  # without a host, kombu warns at each connection
        "broker_transport": "config.broker:Transport",
        "broker_transport_options": broker.options(VAR_DIR / "celery"),
    }


app = Celery("portcullis")
app.conf.update(configuration())
app.autodiscover_tasks()


@worker_ready.connect
def _at_start(**_: Any) -> None:
    """A database that was just made, or an installation that slept over a month's end, gets its partitions at once."""
    app.send_task("billing.tasks.make_partitions", expires=CLOCK_EXPIRES_S)
    app.send_task("compliance.tasks.make_transcript_partitions", expires=CLOCK_EXPIRES_S)
    app.send_task("gateway.tasks.make_guard_decision_partitions", expires=CLOCK_EXPIRES_S)
