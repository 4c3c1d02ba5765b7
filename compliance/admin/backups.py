"""Backups and restore drills: what there is, how old it is, and whether it could be restored."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from compliance import selectors_backups as selectors
from compliance import under_way
from compliance.actions import backups, drills
from compliance.admin import backups_chart, refusals
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.jobs import took
from compliance.admin.links import link, list_url
from compliance.admin.theme import column
from compliance.backups.keeping import time_of
from compliance.models import BackupRun, RestoreDrill
from compliance.requests import actor_of

COLOURS = {"Running": "info", "Good": "success", "Failed": "danger", "Removed when due": "default", "Missing": "danger"}
DRILL_COLOURS = {"Running": "info", "Passed": "success", "Failed": "danger"}


class _OnDemand(ReadOnlyAdmin):
    """A list with a button that has a worker do it now."""

    ask: Any
    job_kind = ""
    asked = ""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.now_view)
        return [path("now/", view, name=f"{self.opts.app_label}_{self.opts.model_name}_now"), *super().get_urls()]

    def now_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for one; with POST only."""
        if request.method != "POST":
            raise Http404
        if not self.may_ask(request):
            raise PermissionDenied
        try:
            type(self).ask(by=actor_of(request))
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
        else:
            messages.success(request, self.asked)
        return HttpResponseRedirect(list_url(f"{self.opts.app_label}_{self.opts.model_name}"))

    def may_ask(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"compliance.add_{self.opts.model_name}"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "may_ask": self.may_ask(request),
            "ask_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_now"),
            "job": under_way.job(self.job_kind),
            **self.summary(),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def summary(self) -> dict[str, Any]:
        """What stands above the list."""
        return {}


@admin.register(BackupRun)
class BackupRunAdmin(_OnDemand):
    empty_hint = "A worker makes the first one at 02:00 UTC; with “Back up now” it does so at once."
    ask = staticmethod(backups.ask_for)
    job_kind = backups.KIND
    asked = "A worker begins with the backup. The list shows it as soon as it has."
    list_before_template = "compliance/backups.html"
    list_display = ("when", "part_name", "state_name", "age", "size", "took", "name")
    list_filter = (("part", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter))
    fieldsets = (
        (None, {"fields": ("name", "when", "part_name", "state_name", "problem", "age", "size", "took", "place")}),
        ("Evidence", {"fields": ("files", "manifest_file", "who")}),
    )
    readonly_fields = (
        *("name", "when", "part_name", "state_name", "problem", "age", "size", "took", "place"),
        *("files", "manifest_file", "who"),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.manifest_view)
        return [path("<int:number>/manifest.json", view, name="compliance_backuprun_manifest"), *super().get_urls()]

    def manifest_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """The signed manifest, as a file."""
        row = BackupRun.objects.filter(pk=number).exclude(manifest=None).first()
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        answer = JsonResponse(row.manifest, json_dumps_params={"indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="manifest-{row.part}-{row.label}.json"'
        answer["Cache-Control"] = "no-store"
        return answer

    def summary(self) -> dict[str, Any]:
        return {"last": [(title, selectors.last_good(part)) for part, title in BackupRun.Part.choices]}

    @column("Begun (UTC)", ordering="label")
    def when(self, row: BackupRun) -> str:
        return f"{time_of(row.label):%Y-%m-%d %H:%M}"

    @column("Name")
    def name(self, row: BackupRun) -> str:
        return row.label

    @column("Part", ordering="part")
    def part_name(self, row: BackupRun) -> str:
        return row.get_part_display()

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, row: BackupRun) -> str:
        return row.get_state_display()

    @column("Problem")
    def problem(self, row: BackupRun) -> str:
        return row.error or "None"

    @column("Age", ordering="made_at")
    def age(self, row: BackupRun) -> str | None:
        return ago(timezone.now() - row.made_at) if row.made_at else None

    @column("Size", ordering="bytes")
    def size(self, row: BackupRun) -> str | None:
        return size(row.bytes) if row.bytes else None

    @column("Took")
    def took(self, row: BackupRun) -> str | None:
        if row.finished_at is None:
            return None
        return took(row.finished_at - row.started_at)

    @column("Files")
    def files(self, row: BackupRun) -> SafeString | str:
        if row.manifest is None:
            return "None"
        context = {"files": row.manifest["payload"]["files"]}
        return mark_safe(render_to_string("compliance/backup_files.html", context))  # noqa: S308 - an escaping template

    @column("Signed manifest")
    def manifest_file(self, row: BackupRun) -> SafeString | str:
        if row.manifest is None:
            return "None: it is signed when all is there."
        return link(reverse("admin:compliance_backuprun_manifest", args=(row.pk,)), "Download")

    @column("By")
    def who(self, row: BackupRun) -> str:
        return row.started_by


@admin.register(RestoreDrill)
class RestoreDrillAdmin(_OnDemand):
    empty_hint = "A worker makes the first drill on Sunday at 05:00 UTC; with “Try a restore now” it does so at once."
    ask = staticmethod(drills.ask_for)
    job_kind = drills.KIND
    asked = "A worker begins with the drill. The list shows it as soon as it has."
    list_before_template = "compliance/drills.html"
    list_display = ("when", "state_name", "rto", "rpo", "size", "backup")
    list_filter = (("state", ChoicesDropdownFilter),)
    fieldsets = (
        (None, {"fields": ("when", "state_name", "reason", "rto", "rpo", "backup", "size", "who")}),
        ("What was checked", {"fields": ("lines",)}),
    )
    readonly_fields = ("when", "state_name", "reason", "rto", "rpo", "backup", "size", "who", "lines")

    def summary(self) -> dict[str, Any]:
        rows = list(RestoreDrill.objects.exclude(state=RestoreDrill.State.RUNNING)[: backups_chart.MOST])
        return {
            "chart": backups_chart.draw(rows[::-1]),
            "waiting": "A backup is being made. Once it is there, try a restore of it."
            if under_way.is_backup_coming()
            else "",
            "overdue": selectors.is_drill_due() and selectors.is_drill_overdue(),
        }

    @column("Run (UTC)", ordering="id")
    def when(self, row: RestoreDrill) -> str:
        return f"{row.started_at:%Y-%m-%d %H:%M}"

    @column("State", label=DRILL_COLOURS, ordering="state")
    def state_name(self, row: RestoreDrill) -> str:
        return row.get_state_display()

    @column("Why it failed")
    def reason(self, row: RestoreDrill) -> str:
        return row.problem or "It did not"

    @column("Time to restore (RTO)", ordering="rto_s")
    def rto(self, row: RestoreDrill) -> str | None:
        return None if row.rto_s is None else ago(timedelta(seconds=row.rto_s))

    @column("What would be lost (RPO)", ordering="rpo_s")
    def rpo(self, row: RestoreDrill) -> str | None:
        return None if row.rpo_s is None else ago(timedelta(seconds=row.rpo_s))

    @column("Size", ordering="restored_bytes")
    def size(self, row: RestoreDrill) -> str | None:
        return size(row.restored_bytes) if row.restored_bytes else None

    @column("Backup")
    def backup(self, row: RestoreDrill) -> str | None:
        return row.data_label or None

    @column("By")
    def who(self, row: RestoreDrill) -> str:
        return row.started_by

    @column("Checks")
    def lines(self, row: RestoreDrill) -> SafeString | str:
        if not row.checks:
            return "Nothing was checked."
        template = "compliance/drill_checks.html"
        return mark_safe(render_to_string(template, {"checks": row.checks}))  # noqa: S308 - an escaping template


def ago(span: timedelta) -> str:
    """A span of time as people say it."""
    seconds = max(0, round(span.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as people say them."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:,.0f} {units[0]}" if value >= 10 or units[0] == "B" else f"{value:,.1f} {units[0]}"
