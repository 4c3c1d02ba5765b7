"""Doors to what the gateway's control side does by the clock; `config/celery.py` has the times."""

from celery import shared_task

from compliance.contracts import Actor
from gateway.actions import credentials, guard_decisions, guard_dictionaries, leaks, placeholders


@shared_task
def poll_credentials() -> int:
    return credentials.look_at_all(by=Actor(kind="task", id="poll_credentials"))


@shared_task
def destroy_old_credentials() -> int:
    return credentials.destroy_old(by=Actor(kind="task", id="destroy_old_credentials"))


@shared_task
def handle_leaks() -> int:
    return leaks.handle_all(by=Actor(kind="task", id="handle_leaks"))


@shared_task
def purge_placeholders() -> int:
    return placeholders.purge(by=Actor(kind="task", id="purge_placeholders"))


@shared_task
def compile_dictionaries() -> int:
    return guard_dictionaries.compile_waiting(by=Actor(kind="task", id="compile_dictionaries"))


@shared_task
def make_guard_decision_partitions() -> int:
    return guard_decisions.make_partitions()
