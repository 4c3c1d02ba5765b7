"""Doors to what billing does by the clock; `config/celery.py` has the times."""

from celery import shared_task

from billing.actions import ledger, usage


@shared_task
def move_usage() -> int:
    return usage.empty_outbox()


@shared_task
def sweep_holds() -> int:
    return ledger.sweep()


@shared_task
def make_partitions() -> int:
    return len(usage.make_partitions())
