"""The Celery app, and the one table of what runs when. All times are UTC."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from config import broker
from config.env import VAR_DIR

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
        "task_ignore_result": True,
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
