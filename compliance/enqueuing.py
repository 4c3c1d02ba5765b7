"""Asks a worker for a task, by its name.

Celery is imported with the first of them: it takes 6 MB, and processes that serve the data plane alone ask for none.
"""

from collections.abc import Callable
from typing import Any

_prepare: list[Callable[[], None]] = []


def use(prepare: Callable[[], None]) -> None:
    """Says what makes Celery know its broker; called when the apps are ready, and run before each task."""
    _prepare[:] = [prepare]


def enqueue(task: str, **options: Any) -> None:
    """Sends a task; `options` are those of Celery's `send_task`.

    Raises:
        kombu.exceptions.OperationalError: the broker is down.
    """
    from celery import current_app

    for prepare in _prepare:
        prepare()
    current_app.send_task(task, **options)
