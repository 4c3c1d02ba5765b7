"""Runs of long jobs."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from compliance import processes
from compliance.actions import jobs
from compliance.admin.jobs import took
from compliance.errors import ActionRefused, AlreadyRunning
from compliance.models import JobRun
from tests.factories import THE_SYSTEM

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def test_it_works() -> None:
    with jobs.running(kind="count", key="7", tenant_id=7, by=THE_SYSTEM) as progress:
        progress.at(0, 3, "counting")
        run = JobRun.objects.get(kind="count")
        assert (run.state, run.done, run.total, run.step, run.finished_at) == ("running", 0, 3, "counting", None)
        progress.at(3)
        progress.result = {"counted": 3}
    run = JobRun.objects.get(kind="count")
    assert (run.state, run.done, run.total, run.result) == ("done", 3, 3, {"counted": 3})
    assert run.finished_at is not None
    assert run.started_by == "system tests"


def test_one_that_came_to_its_end_may_have_failed_all_the_same() -> None:
    with jobs.running(kind="count", by=THE_SYSTEM) as progress:
        progress.problem = "One is missing."
    run = JobRun.objects.get(kind="count")
    assert (run.state, run.error) == (JobRun.State.FAILED, "One is missing.")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "under 1 s"), (1, "0:00:01"), (3_725, "1:02:05")], ids=["short", "a second", "long"]
)
def test_how_long_it_took(seconds: float, said: str) -> None:
    assert took(timedelta(seconds=seconds)) == said


def test_one_of_a_kind_and_key_runs_at_a_time() -> None:
    with jobs.running(kind="count", key="7", by=THE_SYSTEM):
        with pytest.raises(AlreadyRunning, match="count 7 is running since"), again("7"):
            pass
        with again("8"):
            pass
    with again("7"):
        pass
    assert JobRun.objects.filter(kind="count", state="done").count() == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(ActionRefused("The month is closed."), "ActionRefused: The month is closed.", id="ours"),
        pytest.param(ValueError("eu_alice said hello"), "ValueError", id="another, which may quote rows"),
        pytest.param(KeyboardInterrupt(), "KeyboardInterrupt", id="interrupted"),
    ],
)
def test_what_ends_with_an_error_has_failed(error: BaseException, told: str) -> None:
    with pytest.raises(type(error)):
        ends_with(error)
    run = JobRun.objects.get(kind="count")
    assert (run.state, run.error, run.done) == ("failed", told, 1)


def test_what_has_been_silent_for_a_minute_is_taken_over() -> None:
    run = a_run(process="elsewhere 1 2.00", seen_ago_s=61, done=500, result={"kept": True})
    with again() as progress:
        assert progress.resumed
        assert (progress.run.pk, progress.run.done, progress.result) == (run.pk, 500, {"kept": True})
    assert JobRun.objects.get(kind="count").state == "done"


def test_what_runs_on_another_machine_is_left_alone() -> None:
    a_run(process="elsewhere 1 2.00", seen_ago_s=30)
    with pytest.raises(AlreadyRunning), again():
        pass


def test_a_process_of_this_machine_that_died_is_taken_over_at_once() -> None:
    program = (
        "import os, django; django.setup(); from compliance import processes; print(processes.this_process(), end='')"
    )
    died = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    a_run(process=died, seen_ago_s=1)
    with again() as progress:
        assert progress.resumed


def test_who_was_taken_over_stops() -> None:
    with pytest.raises(jobs.TakenOver):
        is_silent_too_long()
    assert JobRun.objects.get(kind="count").state == "done"


def test_a_run_lives_as_long_as_its_process() -> None:
    here = processes.this_run()
    assert here != processes.this_run()
    assert not processes.has_ended(here)
    of_before, _, _ = here.rpartition(" ")
    assert processes.has_ended(f"{of_before} 0.00/{'0' * 16}")


def test_progress_is_written_twice_a_second_at_most(django_assert_max_num_queries: Callable[[int], Any]) -> None:
    with again() as progress, django_assert_max_num_queries(5):
        for done in range(1000):
            progress.at(done, 2000, "counting")


def ends_with(error: BaseException) -> None:
    with again() as progress:
        progress.at(1, 3)
        raise error


def is_silent_too_long() -> None:
    with again() as late:
        JobRun.objects.update(seen_at=timezone.now() - timedelta(seconds=61), process="elsewhere 1 2.00")
        with again() as progress:
            progress.at(1, 2)
        late.at(2, 2)


def again(key: str = "") -> AbstractContextManager[jobs.Progress]:
    return jobs.running(kind="count", key=key, by=THE_SYSTEM)


def a_run(*, process: str, seen_ago_s: int, **fields: Any) -> JobRun:
    run = JobRun.objects.create(kind="count", process=process, started_by="system tests", **fields)
    JobRun.objects.filter(pk=run.pk).update(seen_at=timezone.now() - timedelta(seconds=seen_ago_s))
    return run
