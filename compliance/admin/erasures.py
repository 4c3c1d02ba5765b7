"""Erasures: how far each one is, and its certificate, readable at a glance and to be downloaded."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from compliance.actions import erasure as erasures
from compliance.actions import tenant_exports
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.links import link
from compliance.admin.people import links_of
from compliance.admin.theme import button, column
from compliance.holds import covering
from compliance.models import Erasure
from compliance.requests import actor_of

COLOURS = {"Complete": "success", "Running": "info", "Waits for a legal hold": "warning", "Incomplete": "danger"}

TIMES = ("fenced_at", "keys_destroyed_at", "verified_at")


@admin.register(Erasure)
class ErasureAdmin(GovernedAdmin):
    verbs = Verbs(noun="erasure")
    steps = {
        "retry": Step(
            action=erasures.retry,
            title="Go on with the erasure of {} now?",
            text="The steps that are left are taken now; by itself that happens each minute.",
            verb="Go on",
            done="The steps that were left of {} were taken; see below how it stands.",
        ),
    }
    actions_detail = ("retry", "certificate_file", "export_file")
    empty_hint = "Erasures begin with a subject request, or with DELETE /api/subjects/{external_id}."
    show_full_result_count = False
    list_display = ("named", "tenant_name", "state_name", "requested", "finished")
    list_filter = (("tenant", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("surrogate__exact",)
    search_help_text = "Surrogate (eu_…)"
    ordering = ("-requested_at",)
    readonly_fields = ("whom", "tenant_name", "state_name", "requested", "finished", "because", "steps_taken", "proof")
    fieldsets = (
        (None, {"fields": ("whom", "tenant_name", "state_name", "because", "requested", "finished")}),
        ("Certificate", {"fields": ("proof",)}),
        ("Steps", {"fields": ("steps_taken",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Erasure]:
        return super().get_queryset(request).defer("canary")

    # --- who may -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return self.has_retry_permission(request)

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("compliance.change_erasure"))

    def has_certificate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request)

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: Erasure) -> Collection[str]:
        retry = ("retry",) if row.surrogate and row.state not in erasures.CLOSED else ()
        certificate = ("certificate_file",) if row.certificate else ()
        return (*retry, *certificate, *(("export_file",) if row.export else ()))

    @button("Go on now", icon="play_circle", permissions=["retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("retry", request, object_id)

    @button("Download certificate", icon="verified", permissions=["certificate"])
    def certificate_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The signed JSON. It holds no personal data, so that taking it is on no record."""
        row = self._row(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if not row.certificate:
            raise Http404
        text = json.dumps(row.certificate, indent=2, ensure_ascii=False)
        return HttpResponse(text, headers=_attachment(f"erasure-{row.pk}.json", "application/json"))

    @button("Download export", icon="download", permissions=["retry"])
    def export_file(self, request: HttpRequest, object_id: str) -> HttpResponse | StreamingHttpResponse:
        """Everything of a tenant that left, in clear; each download is in the audit log."""
        row = self._row(request, object_id)
        if not self.has_retry_permission(request):
            raise PermissionDenied
        try:
            pieces = tenant_exports.read(erasure=row, by=actor_of(request))
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
            return self.to_page_of(object_id)
        return StreamingHttpResponse(pieces, headers=_attachment(f"tenant-{row.tenant_id}.zip", "application/zip"))

    def _row(self, request: HttpRequest, object_id: str) -> Erasure:
        row = self.get_object(request, object_id)
        if not isinstance(row, Erasure):
            raise Http404
        return row

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Erased", ordering="surrogate")
    def named(self, row: Erasure) -> str:
        return row.surrogate or "The whole tenant"

    @column("Erased")
    def whom(self, row: Erasure) -> SafeString | str:
        return links_of([row.surrogate])[row.surrogate] if row.surrogate else "The whole tenant"

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, row: Erasure) -> SafeString:
        return link(reverse("admin:accounts_tenant_change", args=(row.tenant_id,)), row.tenant)

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, row: Erasure) -> str:
        return row.get_state_display()

    @column("Why it is not complete")
    def because(self, row: Erasure) -> SafeString:
        """With a link to each hold that it names."""
        words: str = escape(row.problem or "–")
        for hold in covering(row.person) if row.state == Erasure.State.ON_HOLD else ():
            page = link(reverse("admin:compliance_legalhold_change", args=(hold.pk,)), hold)
            words = words.replace(f"legal hold {escape(str(hold))}.", f"legal hold {page}.")
        return mark_safe(words)  # noqa: S308 - escaped above

    @column("Requested (UTC)", ordering="requested_at")
    def requested(self, row: Erasure) -> str:
        return f"{row.requested_at:%Y-%m-%d %H:%M}"

    @column("Finished (UTC)", ordering="finished_at")
    def finished(self, row: Erasure) -> str:
        return f"{row.finished_at:%Y-%m-%d %H:%M}" if row.finished_at else "–"

    @column("Steps")
    def steps_taken(self, row: Erasure) -> SafeString:
        return render_to_string("compliance/erasure_steps.html", {"steps": row.steps.order_by("position")})

    @column("Certificate")
    def proof(self, row: Erasure) -> SafeString | str:
        if not row.certificate:
            return "Comes with the last step."
        told: dict[str, Any] = row.certificate
        times = {name: _moment(told["payload"][name]) for name in TIMES} | {"signed_at": _moment(told["signed_at"])}
        context = {"signed": told, "told": told["payload"], "times": times, "tenant": row.tenant}
        return render_to_string("compliance/certificate.html", context)


def _moment(text: str | None) -> str:
    """A time of a certificate as the rest of the admin writes it."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if text else "–"


def _attachment(name: str, kind: str) -> dict[str, str]:
    return {
        "Content-Type": kind,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
