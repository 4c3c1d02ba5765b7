"""Long jobs: how far they are, and how they ended."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter
from compliance.admin.names import Names
from compliance.admin.theme import column
from compliance.models import JobRun
from compliance.under_way import DEAD_AFTER

COLOURS = {"Running": "info", "Done": "success", "Failed": "danger"}


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    empty_hint = "What takes long, such as wrapping keys anew, shows here how far it is."
    list_display = ("job", "tenant", "state_name", "progress", "started", "took", "who")
    list_filter = (("state", ChoicesDropdownFilter), TenantFilter)
    search_fields = ("kind", "key__exact")
    search_help_text = "Kind of job, or what it is about"
    fieldsets = (
        (None, {"fields": ("job", "tenant", "state_name", "progress", "error")}),
        ("Times (UTC)", {"fields": ("started", "took", "seen")}),
        ("Result", {"fields": ("results", "who")}),
    )
    readonly_fields = ("job", "tenant", "state_name", "progress", "started", "took", "seen", "results", "who")

    def prepare(self, rows: Sequence[JobRun]) -> None:
        names = Names(("tenant", str(run.tenant_id)) for run in rows if run.tenant_id)
        for run in rows:
            run.names = names  # type: ignore[attr-defined]

    @column("Job", ordering="kind")
    def job(self, run: JobRun) -> str:
        return run.kind.replace("_", " ").capitalize()

    @column("Tenant", ordering="tenant_id")
    def tenant(self, run: JobRun) -> SafeString | None:
        if run.tenant_id is None:
            return None
        if not hasattr(run, "names"):
            self.prepare([run])
        names: Names = run.names  # type: ignore[attr-defined]
        return names.of("tenant", run.tenant_id).link

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, run: JobRun) -> str:
        return run.get_state_display()

    @column("Progress")
    def progress(self, run: JobRun) -> SafeString:
        percent = min(100, 100 * run.done // run.total) if run.total else 100 * (run.state == JobRun.State.DONE)
        context = {"run": run, "percent": percent, "silent": is_silent(run)}
        return mark_safe(render_to_string("compliance/job_bar.html", context))  # noqa: S308 - an escaping template

    @column("Started (UTC)", ordering="started_at")
    def started(self, run: JobRun) -> str:
        return f"{run.started_at:%Y-%m-%d %H:%M:%S}"

    @column("Took")
    def took(self, run: JobRun) -> str:
        return took((run.finished_at or timezone.now()) - run.started_at)

    @column("Last sign of life")
    def seen(self, run: JobRun) -> str:
        return f"{run.seen_at:%Y-%m-%d %H:%M:%S}"

    @column("Result")
    def results(self, run: JobRun) -> str:
        result: dict[str, Any] = run.result
        return ", ".join(f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in result.items()) or "–"

    @column("Started by")
    def who(self, run: JobRun) -> str:
        return run.started_by


def took(span: timedelta) -> str:
    """Hours, minutes and seconds; what is shorter than one is said to be so."""
    seconds = round(max(span.total_seconds(), 0))
    return str(timedelta(seconds=seconds)) if seconds else "under 1 s"


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def is_silent(run: JobRun) -> bool:
    """Whether its process has died, as far as one can see: the next one of its kind goes on with it."""
    return run.state == JobRun.State.RUNNING and timezone.now() - run.seen_at > DEAD_AFTER
