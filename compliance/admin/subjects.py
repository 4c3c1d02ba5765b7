"""People, by surrogates. Who they are is shown on a page of its own, to those who may, and each look is on record."""

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from compliance import selectors
from compliance.actions import renames, subjects
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.links import link, list_url, row_of_links
from compliance.admin.person_forms import FindForm, IdentifyForm, RenameForm
from compliance.admin.theme import button, column
from compliance.errors import ComplianceError
from compliance.models import Erasure, Subject
from compliance.requests import actor_of
from compliance.selectors_transcripts import conversations_of

COLOURS = {"Active": "success", "Restricted": "warning", "Erased": "danger", "Blocked": "danger"}
_RIGHTS = {
    "reenrol": "reenrol_subject",
    "unrestrict": "unrestrict_subject",
    "block_requests": "block_subject",
    "unblock": "block_subject",
}


@admin.register(Subject)
class SubjectAdmin(GovernedAdmin):
    verbs = Verbs(noun="subject")
    steps = {
        "restrict": Step(
            action=subjects.restrict,
            title="Restrict the processing of {}?",
            text="Nothing more of what they write is stored, and what is stored only the legal role may read, until "
            "somebody ends the restriction. Their requests are still answered. Only the legal role "
            "ends it.",
            verb="Restrict",
            done="The processing of {} is restricted.",
            grave=True,
        ),
        "unrestrict": Step(
            action=subjects.unrestrict,
            title="End the restriction of {}?",
            text="What they write is stored again where they consent to it, and can be read as that of others.",
            verb="End the restriction",
            done="{} is not restricted any more.",
            grave=True,
        ),
        "block_requests": Step(
            action=subjects.block,
            title="Refuse the requests of {}?",
            text="Every gateway refuses their requests with 403 end_user_blocked, until somebody ends it. What is "
            "stored of them stays, and so do their rights: they can still ask for their data, or for its erasure.",
            verb="Refuse their requests",
            done="The requests of {} are refused.",
            grave=True,
        ),
        "unblock": Step(
            action=subjects.unblock,
            title="Answer the requests of {} again?",
            text="Every gateway answers them from now on.",
            verb="Answer them again",
            done="The requests of {} are answered again.",
            grave=True,
        ),
        "reenrol": Step(
            action=subjects.reenrol,
            title="Enrol {} again?",
            text="They were erased, and nothing about them is kept since. Enrolled again they are somebody new: "
            "nothing of before comes back, and nothing is stored until they consent.",
            verb="Enrol again",
            done="{} is enrolled again.",
            grave=True,
        ),
    }
    actions_list = ("find",)
    actions_detail = ("restrict", "unrestrict", "block_requests", "unblock", "reenrol", "identify", "rename")
    show_full_result_count = False
    empty_hint = "People appear here when a request, or a consent, names them for the first time."
    list_display = ("named", "tenant_name", "state_name", "consents_held", "enrolled")
    list_filter = (("tenant", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("surrogate__exact",)
    search_help_text = "Surrogate (eu_…); to find somebody by the id that applications use, press Find a person"
    ordering = ("-pk",)
    readonly_fields = (
        *("named", "tenant_name", "state_name", "requests_answered", "since", "enrolled", "has_name"),
        *("kept", "belongings"),
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("named", "tenant_name", "state_name", "requests_answered", "since", "enrolled", "has_name"),
                )
            },
        ),
        ("What is kept of them", {"fields": ("kept", "belongings")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subject]:
        return super().get_queryset(request).defer("external_id")

    def prepare(self, rows: Sequence[Subject]) -> None:
        counts = selectors.purposes_allowed([row.pk for row in rows])
        for row in rows:
            row.held = counts.get(row.pk, 0)  # type: ignore[attr-defined]

    # --- who may -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return bool(request.user.has_perm(f"compliance.{_RIGHTS.get(step, 'change_subject')}"))

    def has_restrict_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "restrict")

    def has_unrestrict_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "unrestrict")

    def has_block_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "block_requests")

    def has_reenrol_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "reenrol")

    def has_identify_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("compliance.identify_subject"))

    def has_rename_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_identify_permission(request) and self.may_take(request, "rename")

    def has_find_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request)

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: Subject) -> Collection[str]:
        blocking = "unblock" if row.blocked_at else "block_requests"
        if row.state == Subject.State.ERASED:
            return ("reenrol", blocking) if row.lookup else ()
        return (
            "unrestrict" if row.state == Subject.State.RESTRICTED else "restrict",
            *((blocking,) if row.lookup else ()),
            "identify",
            "rename",
        )

    @button("Restrict", icon="block", permissions=["restrict"])
    def restrict(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("restrict", request, object_id)

    @button("End restriction", icon="lock_open", permissions=["unrestrict"])
    def unrestrict(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("unrestrict", request, object_id)

    @button("Refuse requests", icon="person_off", url_path="block-requests", permissions=["block"])
    def block_requests(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("block_requests", request, object_id)

    @button("Answer requests again", icon="person_check", permissions=["block"])
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("unblock", request, object_id)

    @button("Enrol again", icon="person_add", permissions=["reenrol"])
    def reenrol(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("reenrol", request, object_id)

    @button("Who is this?", icon="badge", permissions=["identify"])
    def identify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks why, then shows the external id: in the answer to a POST, so that no address and no cache has it."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_identify_permission(request):
            raise PermissionDenied
        form = IdentifyForm(request.POST or None)
        shown = self._identified(request, row, form) if request.method == "POST" and form.is_valid() else None
        context = self._context(request, f"Who is {row}?", original=row, form=form, shown=shown)
        return TemplateResponse(request, "compliance/identify.html", context)

    def _identified(self, request: HttpRequest, row: Any, form: IdentifyForm) -> str | None:
        try:
            found = subjects.identify(subject=row, by=actor_of(request), reason=form.cleaned_data["reason"])
        except (*refusals.REFUSALS, ComplianceError) as error:
            form.add_error(None, refusals.explain(error))
            return None
        if found is None:
            form.add_error(None, "Nobody knows yet: the id is kept when the person is seen the next time.")
        return found

    @button("Correct the id", icon="edit", permissions=["rename"])
    def rename(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the new id in a form of its own: it must stand in no address, and in no event."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_rename_permission(request):
            raise PermissionDenied
        form = RenameForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._renamed(request, row, form):
            messages.success(request, f"The id of {row} is corrected.")
            return self.to_page_of(object_id)
        context = self._context(request, f"Correct the id of {row}", original=row, form=form)
        return TemplateResponse(request, "compliance/rename.html", context)

    def _renamed(self, request: HttpRequest, row: Any, form: RenameForm) -> bool:
        try:
            renames.rename(subject=row, by=actor_of(request), **form.cleaned_data)
        except ComplianceError as error:
            form.add_error(None, str(error))
        except refusals.REFUSALS as error:
            refusals.show(error, form)
        return form.is_valid()

    @button("Find a person", icon="person_search", permissions=["find"])
    def find(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = FindForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            if (subject := _found(form)) is not None:
                return self.to_page_of(str(subject.pk))
            messages.warning(request, "No request and no consent of this tenant has named such a person.")
        context = self._context(request, "Find a person", form=form)
        return TemplateResponse(request, "compliance/find_person.html", context)

    def _context(self, request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
        original = more.get("original")
        back = self.page_of(str(original.pk)) if original else list_url("compliance_subject")
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "back": back, **more}

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Surrogate", ordering="surrogate")
    def named(self, subject: Subject) -> str:
        return subject.surrogate

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, subject: Subject) -> str:
        return subject.tenant.name

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, subject: Subject) -> str:
        return "Blocked" if subject.blocked_at else subject.get_state_display()

    @column("Requests")
    def requests_answered(self, subject: Subject) -> str:
        return f"Refused since {subject.blocked_at:%Y-%m-%d %H:%M}" if subject.blocked_at else "Answered"

    @column("Since (UTC)", ordering="state_since")
    def since(self, subject: Subject) -> str:
        return f"{subject.state_since:%Y-%m-%d %H:%M}"

    @column("Enrolled (UTC)", ordering="pk")
    def enrolled(self, subject: Subject) -> str:
        return f"{subject.created_at:%Y-%m-%d %H:%M}"

    @column("Consents held")
    def consents_held(self, subject: Subject) -> SafeString:
        url = list_url("compliance_consentrecord", subject__id__exact=subject.pk)
        return link(url, getattr(subject, "held", 0))

    @column("Who they are")
    def has_name(self, subject: Subject) -> str:
        if subject.state == Subject.State.ERASED:
            return "Not kept: erased"
        return "Kept, encrypted" if subject.external_id is not None else "Not kept yet"

    @column("Conversations")
    def kept(self, subject: Subject) -> str:
        stored, held = conversations_of(subject)
        return f"{stored:,} stored" + (f", {held:,} of them under a legal hold" if held else "")

    @column("Pages")
    def belongings(self, subject: Subject) -> SafeString:
        erasures = Erasure.objects.filter(tenant_id=subject.tenant_id, surrogate=subject.surrogate)
        pages = [
            (reverse("admin:compliance_erasure_change", args=(erasure.pk,)), "Erasure and certificate")
            for erasure in erasures[:1]
        ]
        return row_of_links(
            (
                (list_url("compliance_consentrecord", subject__id__exact=subject.pk), "Consents"),
                *pages,
                (list_url("compliance_auditevent", target_kind="subject", target_id=subject.pk), "History"),
            )
        )


def _found(form: FindForm) -> Subject | None:
    tenant_id, name = form.cleaned_data["tenant"].pk, form.cleaned_data["external_id"]
    known = Subject.objects.filter(tenant_id=tenant_id, surrogate=name.strip()).first()
    return known or selectors.find(tenant_id=tenant_id, external_id=name)
