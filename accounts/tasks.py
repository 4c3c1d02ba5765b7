"""Doors to what accounts does by the clock; `config/celery.py` has the times."""

from celery import shared_task

from accounts.actions import key_tending, unused_keys
from compliance.contracts import Actor
from compliance.errors import AlreadyRunning


@shared_task
def tend_keys() -> dict[str, int]:
    """Plans rotations, gives notice, rotates, ends overlaps."""
    try:
        return key_tending.tend(by=Actor(kind="task", id="tend_keys"))
    except AlreadyRunning:
        return {}


@shared_task
def report_unused_keys() -> int:
    return unused_keys.report(by=Actor(kind="task", id="report_unused_keys"))
