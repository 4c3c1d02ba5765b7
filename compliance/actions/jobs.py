"""Runs of long jobs: one of a kind and key at a time, seen from outside, and taken over when their process died.

with jobs.running(kind="rotate_tenant_key", key=str(tenant_id), by=by) as progress:
    for batch in batches:
        ...
        progress.at(done, total, "wrapping keys anew")
    progress.result = {"keys": done}
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from compliance.contracts import Actor
from compliance.errors import ActionRefused, AlreadyRunning, ComplianceError
from compliance.models import JobRun
from compliance.processes import this_run
from compliance.under_way import is_dead

WRITE_EACH_S = 0.5


class TakenOver(ComplianceError):
    """This run was silent for so long that another one took its place. It must stop."""


class Progress:
    """How far a run is. `result` is kept with it; it holds numbers and words for people, and nothing about anyone."""

    def __init__(self, run: JobRun, *, resumed: bool) -> None:
        self.run = run
        self.resumed = resumed
        """Whether a process that died has begun this run; `run.done`, `run.step` and `result` are what it left."""
        self.result: dict[str, Any] = dict(run.result)
        self.problem = ""
        """Why it failed, of a run that has come to its end and failed all the same."""
        self._written = 0.0

    def at(self, done: int, total: int | None = None, step: str = "") -> None:
        """Tells how far it is, at most twice a second.

        Raises:
            TakenOver: another process, or another thread of this one, holds this run for dead and goes on with it.
        """
        total = self.run.total if total is None else total
        step = step or self.run.step
        due = monotonic() - self._written >= WRITE_EACH_S or done == total or step != self.run.step
        self.run.done, self.run.total, self.run.step = done, total, step
        if due:
            self._written = monotonic()
            self._write(done=done, total=total, step=step[:100], result=self.result, seen_at=timezone.now())

    def end(self, state: JobRun.State, *, error: str = "") -> None:
        now, run = timezone.now(), self.run
        told = {"done": run.done, "total": run.total, "step": run.step[:100], "result": self.result}
        self._write(**told, state=state, error=error, seen_at=now, finished_at=now)

    def _write(self, **values: Any) -> None:
        mine = JobRun.objects.filter(pk=self.run.pk, state=JobRun.State.RUNNING, process=self.run.process)
        if not mine.update(**values):
            raise TakenOver(f"Another worker went on with {self.run}.")


@contextmanager
def running(*, kind: str, key: str = "", tenant_id: int | None = None, by: Actor) -> Iterator[Progress]:
    """Runs a job of that kind about `key`. An error ends it as failed; the death of its process leaves it to the next.

    Use it outside of transactions, or nobody sees how far it is.

    Raises:
        AlreadyRunning: one is under way.
    """
    progress = _begin(kind, key, tenant_id, by)
    try:
        yield progress
    except TakenOver:
        raise
    except BaseException as error:
        progress.end(JobRun.State.FAILED, error=_described(error))
        raise
    progress.end(JobRun.State.FAILED if progress.problem else JobRun.State.DONE, error=progress.problem[:500])


def _begin(kind: str, key: str, tenant_id: int | None, by: Actor) -> Progress:
    me = this_run()
    try:
        with transaction.atomic():
            run = JobRun.objects.create(
                kind=kind, key=key, tenant_id=tenant_id, started_by=f"{by.kind} {by.id}"[:120], process=me
            )
    except IntegrityError:
        return _take_over(kind, key, me)
    return Progress(run, resumed=False)


def _take_over(kind: str, key: str, me: str) -> Progress:
    found = JobRun.objects.filter(kind=kind, key=key, state=JobRun.State.RUNNING).first()
    if found is not None and is_dead(found, at=timezone.now()):
        # Of several that see it dead, one finds it as it was.
        as_it_was = JobRun.objects.filter(
            pk=found.pk, state=JobRun.State.RUNNING, process=found.process, seen_at=found.seen_at
        )
        if as_it_was.update(process=me, seen_at=timezone.now()):
            found.process = me
            return Progress(found, resumed=True)
    since = f" since {found.started_at:%Y-%m-%d %H:%M} UTC" if found else ""
    raise AlreadyRunning(f"{kind} {key}".strip() + f" is running{since}. Wait for its end.")


def _described(error: BaseException) -> str:
    """What people are told. Texts of other errors may quote rows."""
    told = isinstance(error, (ActionRefused, ComplianceError))
    return f"{type(error).__name__}: {error}"[:500] if told else type(error).__name__
