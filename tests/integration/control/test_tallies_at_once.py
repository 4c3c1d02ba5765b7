"""Counts for the audit log while several count, and several make events of them."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Target
from compliance.models import AuditEvent

pytestmark = pytest.mark.usefixtures("databases")

LONG_AGO = datetime(2026, 3, 14, 12, tzinfo=UTC)


def at_once(*works: Callable[[], None]) -> None:
    """Runs each in a thread with a connection of its own."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_counts_add_up_while_some_count_and_others_make_events() -> None:
    code, keys = f"code_{uuid.uuid4().hex}", [Target("apikey", str(n)) for n in (1, 2, 3)]

    def count(order: list[Target]) -> Callable[[], None]:
        def work() -> None:
            for _ in range(25):
                tallies.count(occurrences=[a_refusal(code, key) for key in order])

        return work

    def put_on_record() -> None:
        for _ in range(25):
            tallies.put_on_record()

    at_once(count(keys), count(keys[::-1]), put_on_record, put_on_record)
    tallies.put_on_record()
    counts = dict.fromkeys([key.id for key in keys], 0)
    for event in AuditEvent.objects.filter(action="request.refused", reason=code):
        counts[event.target_id] += event.after["count"]
    assert counts == {"1": 50, "2": 50, "3": 50}


def a_refusal(code: str, key: Target) -> Occurrence:
    by = Actor(kind="key", id=key.id)
    return Occurrence(action="request.refused", by=by, target=key, outcome="refused", reason=code, at=LONG_AGO)
