"""What waits for a second person, and what was decided."""

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from compliance.actions import approvals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.filters import ReferenceFilter, ValueFilter
from compliance.admin.names import Names
from compliance.admin.theme import button, column
from compliance.models import Approval
from compliance.models.approvals import IN_WORDS
from compliance.requests import actor_of

COLOURS = {"Requested": "warning", "Approved": "success", "Rejected": "danger", "Expired": "default"}


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class KindFilter(ValueFilter):
    title, parameter_name = "kind of object", "target_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        kinds = Approval.objects.order_by("target_kind").values_list("target_kind", flat=True).distinct()
        return [(kind, kind) for kind in kinds]


class ObjectFilter(ValueFilter):
    """Chosen by links from a row's page; shown so that it can be cleared."""

    title, parameter_name = "object's number", "target_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        chosen = request.GET.get("target_id", "")
        return [(chosen, chosen)] if chosen else [("", "choose by a row's page")]


@admin.register(Approval)
class ApprovalAdmin(GovernedAdmin):
    verbs = Verbs(noun="approval")
    steps = {
        "approve": Step(
            action=approvals.approve,
            title="Approve: {}?",
            text="It is done at once. Only another person than the one who asked for it can approve.",
            verb="Approve",
            done="{}: approved, and done.",
            grave=True,
        ),
        "reject": Step(
            action=approvals.reject,
            title="Reject: {}?",
            text="Nothing is done. Who asked for it may take it back in the same way.",
            verb="Reject",
            done="{}: rejected.",
            grave=True,
        ),
    }
    actions_detail = ("approve", "reject")
    empty_hint = (
        "Grave actions appear here until a second person agrees: placing and lifting a legal hold, for instance."
    )
    list_display = ("asked", "what", "object", "tenant", "reason", "who", "state_name", "until")
    list_display_links = ("asked", "what")
    list_filter = (("state", ChoicesDropdownFilter), TenantFilter, KindFilter, ObjectFilter)
    search_fields = ("action__startswith", "reason__icontains", "target_id__exact")
    search_help_text = "Action, words of the reason, or number of an object"
    fieldsets = (
        (None, {"fields": ("what", "object", "tenant", "reason", "who", "asked", "until")}),
        ("Decision", {"fields": ("state_name", "decider", "decided", "decision_reason")}),
    )
    readonly_fields = (
        *("what", "object", "tenant", "reason", "who", "asked", "until"),
        *("state_name", "decider", "decided", "decision_reason"),
    )

    def prepare(self, rows: Sequence[Approval]) -> None:
        found = Names(reference for row in rows for reference in _references(row))
        for row in rows:
            row.names = found  # type: ignore[attr-defined]

    # --- buttons -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return bool(request.user.has_perm("compliance.change_approval"))

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "approve")

    def offers(self, row: Approval) -> Collection[str]:
        is_open = row.state == Approval.State.REQUESTED and row.expires_at > timezone.now()
        return ("approve", "reject") if is_open else ()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Without the button that would be refused: who asked does not approve."""
        buttons = super().get_actions_detail(request, object_id)
        row = self.get_object(request, str(object_id))
        if not isinstance(row, Approval) or not _is_by(request, row):
            return buttons
        return [each for each in buttons if each.method.original_function_name != "approve"]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = context.get("original")
        if isinstance(row, Approval) and self.offers(row) and _is_by(request, row):
            messages.info(request, "You asked for this yourself, so another person has to approve it.")
        return super().render_change_form(request, context, *args, **kwargs)

    @button("Approve", icon="check_circle", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("approve", request, object_id)

    @button("Reject", icon="cancel", permissions=["decide"])
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("reject", request, object_id)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With the name of what it is about; among many others it goes by the number, as that would be a query each."""
        row = super().get_object(request, object_id, from_field)
        if isinstance(row, Approval):
            row.about = str(_names(row).of(row.target_kind, row.target_id))
        return row

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Asked for (UTC)", ordering="id")
    def asked(self, approval: Approval) -> str:
        return f"{approval.requested_at:%Y-%m-%d %H:%M}"

    @column("What", ordering="action")
    def what(self, approval: Approval) -> str:
        return IN_WORDS.get(approval.action, approval.action)

    @column("On")
    def object(self, approval: Approval) -> SafeString:
        return _names(approval).of(approval.target_kind, approval.target_id).link

    @column("Tenant")
    def tenant(self, approval: Approval) -> SafeString | None:
        return _names(approval).of("tenant", approval.tenant_id).link if approval.tenant_id else None

    @column("Asked by")
    def who(self, approval: Approval) -> SafeString | str:
        return _person(approval, approval.requested_by)

    @column("Decided by")
    def decider(self, approval: Approval) -> SafeString | str:
        return _person(approval, approval.decided_by) if approval.decided_by else "–"

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, approval: Approval) -> str:
        return approval.get_state_display()

    @column("Can be approved until (UTC)", ordering="expires_at")
    def until(self, approval: Approval) -> str:
        return f"{approval.expires_at:%Y-%m-%d %H:%M}"

    @column("Decided (UTC)")
    def decided(self, approval: Approval) -> str:
        return f"{approval.decided_at:%Y-%m-%d %H:%M}" if approval.decided_at else "–"


def _is_by(request: HttpRequest, approval: Approval) -> bool:
    return approvals.name_of(by=actor_of(request)) == approval.requested_by


def _names(approval: Approval) -> Names:
    found: Names | None = getattr(approval, "names", None)
    return found if found is not None else Names(_references(approval))


def _person(approval: Approval, name: str) -> SafeString | str:
    kind, _, number = name.partition(" ")
    return _names(approval).of("user", number).link if kind == "user" else name


def _references(approval: Approval) -> list[tuple[str, str]]:
    people = [name.partition(" ") for name in (approval.requested_by, approval.decided_by)]
    return [
        (approval.target_kind, approval.target_id),
        ("tenant", str(approval.tenant_id)),
        *((kind, number) for kind, _, number in people),
    ]
