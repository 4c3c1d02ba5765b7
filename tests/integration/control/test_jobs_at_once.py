"""A long job in several threads of one process, as in the worker."""

import threading
import uuid
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from compliance.actions import jobs
from compliance.models import JobRun
from tests.factories import THE_SYSTEM

pytestmark = pytest.mark.usefixtures("databases")


def test_who_was_taken_over_by_a_thread_of_the_same_process_stops() -> None:
    """One that waits for a slow upload is silent; it must not go on beside the next one."""
    key, stopped = uuid.uuid4().hex, []
    silent, taken = threading.Event(), threading.Event()

    def is_silent() -> None:
        try:
            with counting(key) as late:
                silent.set()
                taken.wait(10)
                late.at(2, 2)
        except jobs.TakenOver:
            stopped.append(True)
        finally:
            connection.close()

    first = threading.Thread(target=is_silent)
    first.start()
    assert silent.wait(10)
    JobRun.objects.filter(key=key).update(seen_at=timezone.now() - timedelta(seconds=61))
    with counting(key) as progress:
        assert progress.resumed
        taken.set()
        first.join()
        assert stopped == [True]
        assert JobRun.objects.get(key=key).state == JobRun.State.RUNNING
    assert JobRun.objects.get(key=key).state == JobRun.State.DONE
    JobRun.objects.filter(key=key).delete()


def counting(key: str) -> AbstractContextManager[jobs.Progress]:
    return jobs.running(kind="count", key=key, by=THE_SYSTEM)
