"""Doors to what billing does by the clock; `config/celery.py` has the times."""

from celery import shared_task

from billing.actions import adjustments, alert_deliveries, alerts, ledger, retention, usage, watchdog
from compliance.contracts import SYSTEM, Actor


@shared_task
def move_usage() -> int:
    return usage.empty_outbox()


@shared_task
def sweep_holds() -> int:
    return ledger.sweep()


@shared_task
def tidy_meters() -> int:
    return ledger.tidy()


@shared_task
def watch_ledger() -> int:
    return watchdog.watch(by=Actor(kind="task", id="watch_ledger"))


@shared_task
def drop_old_usage() -> int:
    return len(retention.drop_old_usage(by=SYSTEM))


@shared_task
def make_partitions() -> int:
    return len(usage.make_partitions())


@shared_task
def look_at_meters() -> int:
    return alerts.look_at_meters()


@shared_task
def look_at_spending() -> int:
    return alerts.look_at_spending()


@shared_task
def deliver_alerts() -> int:
    return alert_deliveries.deliver()


@shared_task
def apply_adjustments() -> int:
    return adjustments.apply_pending()
