"""Evidence packs: ask for one, see how far it is, and take the file."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from compliance.actions import packs
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.jobs import is_silent
from compliance.admin.names import Names
from compliance.admin.theme import button, column
from compliance.exports.download import download
from compliance.models import EvidencePack, JobRun
from compliance.requests import actor_of

COLOURS = {"Waiting": "info", "Being made": "info", "Ready": "success", "Failed": "danger", "Deleted": "default"}


@admin.register(EvidencePack)
class EvidencePackAdmin(GovernedAdmin):
    verbs = Verbs(noun="pack", create=packs.request)
    steps = {
        "remove": Step(
            action=packs.delete,
            title="Delete the file of {}?",
            text="Nobody can download it any more. That there was one stays on record.",
            verb="Delete the file",
            done="{}: the file was deleted.",
            grave=True,
        ),
    }
    actions_detail = ("file", "remove")
    empty_hint = (
        "A pack is the evidence of a period as one signed file for an auditor: who had access, what was changed, "
        "what was rotated, restored, purged and erased. Add one, and it is made within a minute."
    )
    list_display = ("period", "framework_name", "state_name", "progress", "records_shown", "asked", "who", "kept")
    list_display_links = ("period",)
    list_filter = (("state", ChoicesDropdownFilter), ("framework", ChoicesDropdownFilter))
    search_fields = ("public_id", "sha256__exact")
    search_help_text = "SHA-256 of a file"
    add_fieldsets = (
        (
            None,
            {
                "fields": ("first_day", "last_day", "framework"),
                "description": "A job makes the file; its page shows how far it is. It names staff, and no end users.",
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("period", "framework_name", "state_name", "progress", "because")}),
        ("File", {"fields": ("records_shown", "size", "sha256", "kept", "taken")}),
        ("Asked for", {"fields": ("asked", "who")}),
    )
    readonly_fields = (
        *("period", "framework_name", "state_name", "progress", "because", "records_shown", "size", "sha256"),
        *("kept", "taken", "asked", "who"),
    )

    def get_fieldsets(self, request: HttpRequest, obj: EvidencePack | None = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: EvidencePack | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The quarter that ended last."""
        first, last = last_quarter(timezone.now().date())
        return {"first_day": first, "last_day": last}

    def prepare(self, rows: Sequence[EvidencePack]) -> None:
        names = Names((row.asked_by_kind, row.asked_by_id) for row in rows)
        keys = [str(row.pk) for row in rows]
        runs = {run.key: run for run in JobRun.objects.filter(kind=packs.KIND, key__in=keys).order_by("pk")}
        for row in rows:
            row.names, row.run = names, runs.get(str(row.pk))  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: EvidencePack, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.info(request, "The pack is being made. Reload this page to see how far it is.")
        return self.to_page_of(str(obj.pk))

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: EvidencePack) -> Collection[str]:
        if row.state == EvidencePack.State.READY:
            return ("file", "remove")
        return ("remove",) if row.deleted_at is None and row.state != EvidencePack.State.RUNNING else ()

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return self.has_add_permission(request)

    def has_file_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request)

    def has_remove_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request)

    @button("Download", icon="download", permissions=["file"])
    def file(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The file; each download is in the audit log."""
        row = self.get_object(request, object_id)
        if not isinstance(row, EvidencePack):
            raise Http404
        if not self.has_file_permission(request):
            raise PermissionDenied
        try:
            pieces = packs.download(pack=row, by=actor_of(request))
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
            return self.to_page_of(object_id)
        name = f"evidence-{row.framework}-{row.first_day}-{row.last_day}.zip".replace("_", "-")
        return download(pieces, name=name, content_type="application/zip")

    @button("Delete the file", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("remove", request, object_id)

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Period (UTC)", ordering="first_day")
    def period(self, pack: EvidencePack) -> str:
        return f"{pack.first_day} to {pack.last_day}"

    @column("Framework", ordering="framework")
    def framework_name(self, pack: EvidencePack) -> str:
        return pack.get_framework_display()

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, pack: EvidencePack) -> str:
        return pack.get_state_display()

    @column("Progress")
    def progress(self, pack: EvidencePack) -> SafeString | str:
        self._prepared(pack)
        run: JobRun | None = pack.run  # type: ignore[attr-defined]
        if run is None or pack.state == EvidencePack.State.DELETED:
            return "–"
        percent = 100 if pack.state == EvidencePack.State.READY else min(99, 100 * run.done // (run.total or 1))
        context = {"run": run, "percent": percent, "silent": is_silent(run)}
        return mark_safe(render_to_string("compliance/job_bar.html", context))  # noqa: S308 - an escaping template

    @column("Why")
    def because(self, pack: EvidencePack) -> str:
        return pack.problem or "–"

    @column("Rows in it")
    def records_shown(self, pack: EvidencePack) -> str:
        return "–" if pack.records is None else f"{pack.records:,}"

    @column("Size")
    def size(self, pack: EvidencePack) -> str:
        return filesizeformat(pack.file_bytes) if pack.file_bytes else "–"

    @column("Kept until", ordering="expires_on")
    def kept(self, pack: EvidencePack) -> str:
        if pack.deleted_at is not None:
            return f"deleted on {pack.deleted_at:%Y-%m-%d}"
        return f"{pack.expires_on:%Y-%m-%d}" if pack.expires_on else "–"

    @column("Downloads")
    def taken(self, pack: EvidencePack) -> str:
        return f"{pack.downloads:,}"

    @column("Asked for (UTC)", ordering="asked_at")
    def asked(self, pack: EvidencePack) -> str:
        return f"{pack.asked_at:%Y-%m-%d %H:%M}"

    @column("By")
    def who(self, pack: EvidencePack) -> SafeString | str:
        self._prepared(pack)
        if pack.asked_by_kind != "user":
            return pack.asked_by_kind
        names: Names = pack.names  # type: ignore[attr-defined]
        return names.of("user", pack.asked_by_id).link

    def _prepared(self, pack: EvidencePack) -> None:
        if not hasattr(pack, "run"):
            self.prepare([pack])


def last_quarter(today: date) -> tuple[date, date]:
    """The first and the last day of the quarter that ended before that day."""
    this = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    last = this - timedelta(days=1)
    return date(last.year, 3 * ((last.month - 1) // 3) + 1, 1), last
