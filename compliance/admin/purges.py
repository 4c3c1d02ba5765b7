"""What the next run removes, or another day's would; the runs there were, and their reports."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSingleDateWidget

from compliance.actions import purges
from compliance.admin import refusals
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.links import link
from compliance.admin.names import Names
from compliance.admin.purge_lines import shown
from compliance.admin.theme import column
from compliance.models import PurgeRun
from compliance.purgers import Scope, purgers
from compliance.purging import plans
from compliance.requests import actor_of

COLOURS = {"Done": "success", "Running": "info", "Stopped: something changed": "warning", "Failed": "danger"}


class DayForm(forms.Form):
    """From which day to count."""

    as_of = forms.DateField(label="Due on (UTC)", widget=UnfoldAdminSingleDateWidget)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """What is due on a day; with POST, and the hash of the plan that was shown, removes it."""
    if not request.user.has_perm("compliance.view_purgerun"):
        raise PermissionDenied
    if request.method == "POST":
        return _run(request)
    next_run, today = plans.next_run(), plans.today()
    day = DayForm({"as_of": request.GET.get("as_of") or next_run.date()})
    as_of = day.cleaned_data["as_of"] if day.is_valid() else next_run.date()
    plan = plans.make(Scope(as_of=as_of))
    notes = [(each.title, each.note(Scope(as_of=as_of))) for each in purgers() if each.note is not None]
    context = {
        **admin.site.each_context(request),
        "title": "What is due",
        "next_run": next_run,
        "is_next": as_of == next_run.date(),
        "today": today,
        "plan": plan,
        "lines": shown(line.as_json() for line in plan.lines),
        "notes": notes,
        "day": day,
        "may_run": _may_run(request) and plan.rows > 0 and as_of <= today,
    }
    return TemplateResponse(request, "compliance/retention.html", context)


def _run(request: HttpRequest) -> HttpResponse:
    if not _may_run(request):
        raise PermissionDenied
    day = DayForm(request.POST)
    if not day.is_valid():
        raise Http404
    try:
        row = purges.run(
            plan_hash=request.POST.get("plan_hash", ""), as_of=day.cleaned_data["as_of"], by=actor_of(request)
        )
    except refusals.REFUSALS as error:
        messages.error(request, refusals.explain(error))
        return HttpResponseRedirect(f"{reverse('retention')}?as_of={day.cleaned_data['as_of']}")
    level = messages.SUCCESS if row.state == PurgeRun.State.DONE else messages.WARNING
    messages.add_message(request, level, f"{row.get_state_display()}. Rows removed: {row.removed_rows:,}.")
    return HttpResponseRedirect(reverse("admin:compliance_purgerun_change", args=(row.pk,)))


def _may_run(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("compliance.add_purgerun"))


@admin.register(PurgeRun)
class PurgeRunAdmin(ReadOnlyAdmin):
    empty_hint = "A run removes what is due, each night at 03:40 UTC, and leaves a signed report here."
    list_display = ("when", "state_name", "removed_count", "kept_count", "who")
    list_filter = (("state", ChoicesDropdownFilter),)
    fieldsets = (
        (None, {"fields": ("when", "state_name", "problem", "who", "plan_hash", "report_file")}),
        ("What was removed, and why", {"fields": ("lines",)}),
    )
    readonly_fields = ("when", "state_name", "problem", "who", "plan_hash", "report_file", "lines")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.report_view)
        return [path("<int:number>/report.json", view, name="compliance_purgerun_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """The signed report, as a file."""
        row = PurgeRun.objects.filter(pk=number).exclude(report=None).first()
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        answer = JsonResponse(row.report, json_dumps_params={"indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="purge-{row.as_of}-{row.pk}.json"'
        answer["Cache-Control"] = "no-store"
        return answer

    def prepare(self, rows: Sequence[PurgeRun]) -> None:
        names = Names(_reference(row) for row in rows)
        for row in rows:
            row.names = names  # type: ignore[attr-defined]

    @column("Run (UTC)", ordering="id")
    def when(self, row: PurgeRun) -> str:
        return f"{row.started_at:%Y-%m-%d %H:%M}, of what was due on {row.as_of}"

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, row: PurgeRun) -> str:
        return row.get_state_display()

    @column("Problem")
    def problem(self, row: PurgeRun) -> str:
        return row.error or "None"

    @column("Rows removed", ordering="removed_rows")
    def removed_count(self, row: PurgeRun) -> str:
        return f"{row.removed_rows:,}"

    @column("Kept by legal holds", ordering="kept_rows")
    def kept_count(self, row: PurgeRun) -> str:
        return f"{row.kept_rows:,}"

    @column("By")
    def who(self, row: PurgeRun) -> SafeString | str:
        kind, number = _reference(row)
        names: Names = getattr(row, "names", None) or Names([(kind, number)])
        return names.of(kind, number).link if kind == "user" else row.started_by

    @column("Signed report")
    def report_file(self, row: PurgeRun) -> SafeString | str:
        if row.report is None:
            return "Not signed yet; the next run does it."
        return link(reverse("admin:compliance_purgerun_report", args=(row.pk,)), "Download")

    @column("Lines")
    def lines(self, row: PurgeRun) -> SafeString | str:
        found = shown(row.plan["lines"], row.removed)
        if not found:
            return "Nothing was due."
        context = {"lines": found, "is_run": True}
        return mark_safe(render_to_string("compliance/purge_lines.html", context))  # noqa: S308 - an escaping template


def _reference(row: PurgeRun) -> tuple[str, str]:
    kind, _, number = row.started_by.partition(" ")
    return kind, number
