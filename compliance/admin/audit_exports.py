"""Exports of the audit log: ask for one, see how far it is, and take the file."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from compliance import audit_warnings, selectors_audit_exports
from compliance.actions import audit_exports
from compliance.admin import audit_choices, names, refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.filters import ReferenceFilter, SinceFilter, days_ago
from compliance.admin.forms import GovernedForm
from compliance.admin.jobs import is_silent
from compliance.admin.names import Names
from compliance.admin.theme import button, column
from compliance.bundles.filters import MOST_CHARACTERS, Filters, shown
from compliance.exports.handing import hand_out
from compliance.models import AuditEvent, AuditExport, JobRun
from compliance.requests import actor_of

COLOURS = {
    "Waiting": "info",
    "Being made": "info",
    "Ready": "success",
    "Failed": "danger",
    "Deleted": "default",
}
PLATFORM = "platform"
SHOWN = 50
DOWNLOAD_ANY = "compliance.download_any_auditexport"
OUTCOMES = (("", "Any"), ("success", "Success"), ("refused", "Refused"), ("failure", "Failure"))
KINDS = (
    *(("", "Anybody"), ("user", "A person"), ("key", "An API key"), ("command", "A command")),
    *(("task", "A task"), ("system", "The system"), ("anonymous", "Nobody known")),
)


SELECT = UnfoldAdminSelect2Widget


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


def _moment(label: str, help_text: str) -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(
        required=False, label=label, help_text=help_text, widget=UnfoldAdminSplitDateTimeWidget
    )


def _text(label: str, help_text: str, widget: Any = UnfoldAdminTextInputWidget) -> forms.CharField:
    return forms.CharField(
        required=False,
        label=label,
        max_length=MOST_CHARACTERS,
        help_text=help_text,
        widget=widget(attrs={"autocomplete": "off"}),
    )


class ExportForm(GovernedForm):
    """Which log, and which of its events."""

    log = forms.ChoiceField(
        label="Log",
        widget=UnfoldAdminSelect2Widget,
        help_text="Each tenant has a log of its own, and so has the platform. An export is of one of them.",
        error_messages={"required": "Choose the log."},
    )
    since = _moment("From (UTC)", "The first moment.")
    until = _moment("Until (UTC)", "The first moment that is not part of it any more.")
    action = _text("Action", "What was done; budget. with the point at its end is all of that kind.", SELECT)
    target_kind = _text("Kind of object", "What it was done to.", SELECT)
    target_id = _text("Object's number", "As it stands in the address of its page.")
    actor_kind = forms.ChoiceField(required=False, label="Done by", choices=KINDS, widget=UnfoldAdminSelectWidget)
    person = forms.CharField(required=False, label="Person", help_text="Who did it.", widget=SELECT)
    actor_id = _text("Number of another", "Of an API key its number, of a command or a task its name.")
    outcome = forms.ChoiceField(required=False, choices=OUTCOMES, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = AuditExport
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "log" in self.fields:
            logs = [("", "Choose one"), (PLATFORM, "The platform's own"), *names.choices("tenant")]
            self.fields["log"].choices = logs  # type: ignore[attr-defined]
            self._offer("action", [*_kinds_of(audit_choices.actions()), *audit_choices.actions()])
            self._offer("target_kind", audit_choices.objects())
            self._offer("person", names.choices("user"))

    def _offer(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        """Any, those, and what the address or the form says, whether or not it is among them."""
        field = self.fields[name]
        said = str(self[name].value() or "")
        more = [(said, said)] if said and said not in dict(choices) else []
        field.widget.choices = [("", "Any"), *choices, *more]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        given = {name: value for name, value in self.cleaned_data.items() if value and name not in ("log", "seen")}
        if person := given.pop("person", ""):
            if given.get("actor_kind", "user") != "user" or given.get("actor_id", person) != person:
                raise ValidationError({"person": "Choose a person here, or somebody else below, not both."})
            given |= {"actor_kind": "user", "actor_id": person}
        for name in ("since", "until"):
            if name in given:
                given[name] = given[name].replace(tzinfo=UTC)
        try:
            self.instance.filters = Filters(**given).as_json()
        except ValueError as error:
            raise ValidationError({"until": "This is not after the first moment."}) from error
        log = self.cleaned_data.get("log") or PLATFORM
        self.instance.tenant_id = None if log == PLATFORM else int(log)
        return cleaned


@admin.register(AuditExport)
class AuditExportAdmin(GovernedAdmin):
    verbs = Verbs(noun="export", create=audit_exports.request)
    form = ExportForm
    steps = {
        "remove": Step(
            action=audit_exports.delete,
            title="Delete the file of {}?",
            text="Nobody can download it any more. That there was one stays on record; the log itself is not touched.",
            verb="Delete the file",
            done="{}: the file was deleted.",
            grave=True,
        ),
    }
    actions_detail = ("file", "remove")
    empty_hint = (
        "An export is a file with events of one log and the proof that they are what was recorded. Anyone can verify "
        "it with the program inside. Add one here, or from the audit log with the filters that you chose there."
    )
    list_display = ("asked", "named", "chosen", "state_name", "progress", "events_shown", "asked_by", "kept_until")
    list_display_links = ("asked",)
    list_filter = (TenantFilter, ("state", ChoicesDropdownFilter))
    search_fields = ("public_id", "sha256__exact", "asked_by_id__exact")
    search_help_text = "Export's id, or the SHA-256 of a file"
    add_fieldsets = (
        (None, {"fields": ("log",), "description": "A job makes the file; its page shows how far it is."}),
        (
            "Which events",
            {
                "fields": (
                    *("since", "until", "action", "target_kind", "target_id"),
                    *("actor_kind", "person", "actor_id", "outcome"),
                ),
                "description": "All that is filled in must match. Leave all of it empty for the whole log: only that "
                "proves that no event is missing. Of a part, each event is proven to be in the log.",
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("named", "chosen", "state_name", "progress", "because")}),
        ("File", {"fields": ("events_shown", "size", "digest", "kept_until", "taken")}),
        ("Log, as it was then", {"fields": ("log_name", "log_size", "log_root")}),
        ("Asked for", {"fields": ("asked", "asked_by", "finished")}),
    )
    readonly_fields = (
        *("named", "chosen", "state_name", "progress", "because", "events_shown", "size", "digest", "kept_until"),
        *("taken", "log_name", "log_size", "log_root", "asked", "asked_by", "finished"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: AuditExport | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the list of the audit log was filtered by."""
        return initial_of(request)

    def prepare(self, rows: Sequence[AuditExport]) -> None:
        found = Names(reference for row in rows for reference in _references(row))
        runs = selectors_audit_exports.runs_of(rows)
        for row in rows:
            row.names, row.run = found, runs.get(row.pk)  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: AuditExport, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.info(request, "The export is being made. Reload this page to see how far it is.")
        return self.to_page_of(str(obj.pk))

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: AuditExport) -> Collection[str]:
        file = ("file",) if row.state == AuditExport.State.READY else ()
        return (*file, "remove") if row.deleted_at is None and row.state != AuditExport.State.RUNNING else file

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return self.has_remove_permission(request)

    def has_file_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request)

    def has_remove_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(DOWNLOAD_ANY))

    @button("Download", icon="download", permissions=["file"])
    def file(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The file, for who asked for it, and for those who may take others'; each download is in the audit log."""
        row = self.get_object(request, object_id)
        if not isinstance(row, AuditExport):
            raise Http404
        if not self.has_file_permission(request):
            raise PermissionDenied
        may_any = bool(request.user.has_perm(DOWNLOAD_ANY))
        try:
            return hand_out(
                lambda first, last: audit_exports.download(
                    export=row, by=actor_of(request), may_download_any=may_any, first=first, last=last
                ),
                size=row.file_bytes or 0,
                sha256=row.sha256,
                name=selectors_audit_exports.name_of(row),
                asked=request.headers.get("Range", ""),
                if_range=request.headers.get("If-Range", ""),
            )
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
            return self.to_page_of(object_id)

    @button("Delete the file", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("remove", request, object_id)

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Log", ordering="tenant_id")
    def named(self, export: AuditExport) -> SafeString | str:
        if export.tenant_id is None:
            return "The platform's own"
        return self._names(export).of("tenant", export.tenant_id).link

    @column("Events")
    def chosen(self, export: AuditExport) -> str:
        return shown(export.filters)

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, export: AuditExport) -> str:
        return export.get_state_display()

    @column("Progress")
    def progress(self, export: AuditExport) -> SafeString | str:
        if not hasattr(export, "run"):
            self.prepare([export])
        run: JobRun | None = export.run  # type: ignore[attr-defined]
        if run is None or export.finished_at is not None:
            return f"Ended, {export.get_state_display().lower()}"
        percent = selectors_audit_exports.percent_of(export, run)
        context = {"run": run, "percent": percent, "silent": is_silent(run)}
        return mark_safe(render_to_string("compliance/job_bar.html", context))  # noqa: S308 - an escaping template

    @column("Remark")
    def because(self, export: AuditExport) -> SafeString | str:
        """Why it failed or is gone; of a file that is there, that its log was altered, now or when it was made."""
        if export.state != AuditExport.State.READY:
            return export.problem or "None"
        warning = export.problem or audit_warnings.warning_of(export.origin)
        return format_html('<strong class="pcl-bad">{}</strong>', warning) if warning else "None"

    @column("Events in it", ordering="events")
    def events_shown(self, export: AuditExport) -> str:
        return "–" if export.events is None else f"{export.events:,}"

    @column("Size", ordering="file_bytes")
    def size(self, export: AuditExport) -> str:
        return filesizeformat(export.file_bytes) if export.file_bytes else "–"

    @column("SHA-256")
    def digest(self, export: AuditExport) -> str:
        return export.sha256 or "–"

    @column("Its name")
    def log_name(self, export: AuditExport) -> str:
        return export.origin or "–"

    @column("Events in it")
    def log_size(self, export: AuditExport) -> str:
        return "–" if export.tree_size is None else f"{export.tree_size:,}"

    @column("Root of its tree")
    def log_root(self, export: AuditExport) -> str:
        return export.root or "–"

    @column("Kept until", ordering="expires_on")
    def kept_until(self, export: AuditExport) -> str:
        if export.deleted_at is not None:
            return f"deleted on {export.deleted_at:%Y-%m-%d}"
        return f"{export.expires_on:%Y-%m-%d}" if export.expires_on else "–"

    @column("Downloads")
    def taken(self, export: AuditExport) -> str:
        return f"{export.downloads:,}"

    @column("Asked for (UTC)", ordering="asked_at")
    def asked(self, export: AuditExport) -> str:
        return f"{export.asked_at:%Y-%m-%d %H:%M}"

    @column("Finished (UTC)")
    def finished(self, export: AuditExport) -> str:
        return f"{export.finished_at:%Y-%m-%d %H:%M}" if export.finished_at else "–"

    @column("By")
    def asked_by(self, export: AuditExport) -> SafeString | str:
        kind = {"key": "apikey"}.get(export.asked_by_kind, export.asked_by_kind)
        if kind not in ("user", "apikey"):
            return export.asked_by_kind
        return self._names(export).of(kind, export.asked_by_id).link

    def _names(self, export: AuditExport) -> Names:
        if not hasattr(export, "names"):
            self.prepare([export])
        found: Names = export.names  # type: ignore[attr-defined]
        return found


def initial_of(request: HttpRequest) -> dict[str, Any]:
    """The form's values that mean what the list of the audit log shows for the same address."""
    asked = {name: str(value).replace("\0", "")[:MOST_CHARACTERS] for name, value in request.GET.items()}
    initial: dict[str, Any] = {
        name: asked[name] for name in ("action", "target_kind", "target_id", "actor_kind", "outcome") if name in asked
    }
    if asked.get("actor_id"):
        kind = asked.get("actor_kind") or "user"
        initial |= {"actor_kind": kind, "person" if kind == "user" else "actor_id": asked["actor_id"]}
    if (span := asked.get("since")) in SinceFilter.spans:
        initial["since"] = days_ago(SinceFilter.spans[span][1])
    for end, name in (("from", "since"), ("to", "until")):
        if moment := _read(asked.get(f"occurred_at_{end}_0", ""), asked.get(f"occurred_at_{end}_1", "")):
            initial[name] = moment
    initial["log"] = asked.get("tenant_id") or _log_of(initial)
    return initial


def _log_of(initial: dict[str, Any]) -> str:
    """The log that the newest such events are in; empty if they are in several, or nothing was chosen: whoever asks has
    to say which one is meant."""
    person = initial.get("person", "")
    given = {name: value for name, value in initial.items() if name != "person"}
    try:
        filters = Filters(**(given | ({"actor_id": person} if person else {})))
    except ValueError:
        return ""
    if not filters.as_json():
        return ""
    newest = AuditEvent.objects.filter(filters.condition()).order_by("-id").values_list("tenant_id", flat=True)
    found = set(newest[:SHOWN])
    return "" if len(found) != 1 else str(found.pop() or PLATFORM)


def _kinds_of(actions: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """All actions on one kind of object."""
    kinds = sorted({action.partition(".")[0] for action, _ in actions})
    return [(f"{kind}.", f"{kind}. (all of them)") for kind in kinds]


def _read(day: str, time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day} {time or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _references(export: AuditExport) -> list[tuple[str, str]]:
    kind = {"key": "apikey"}.get(export.asked_by_kind, export.asked_by_kind)
    tenant = [("tenant", str(export.tenant_id))] if export.tenant_id is not None else []
    return [*tenant, (kind, export.asked_by_id)]
