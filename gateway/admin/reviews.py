"""The review queue: exchanges that guards have flagged, and what reviewers say of them.

What was written is not here. Where it was stored, with consent, it is read on its own page, for a reason.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from accounts.models import ApiKey
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs, perform
from compliance.admin.filters import ReferenceFilter, SpanFilter, ValueFilter
from compliance.admin.forms import ReasonForm
from compliance.admin.links import link, list_url, row_of_links
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import button, column
from compliance.models import ContentDecision, Transcript
from gateway import selectors
from gateway.actions import reviews
from gateway.admin.guard_decisions import names_of, title_of_guard
from gateway.admin.request_ids import by_request
from gateway.guards import registry
from gateway.models import GuardDecision, ReviewItem

State = ReviewItem.State
STATES = {"Open": "info", "Confirmed": "danger", "Dismissed": "default"}
MOST = 200
"""Items that are decided at once: each has its own event."""


class NoteForm(ReasonForm):
    """What a reviewer writes down."""

    reason = forms.CharField(
        label="Note",
        max_length=reviews.NOTE_MOST,
        help_text="For whoever looks at it next; it stays in the audit log. Nothing of the content, no personal data.",
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 3, "autofocus": True}),
    )


class StateFilter(ValueFilter):
    title, parameter_name = "state", "state"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.all_option = ["", "Open"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("confirmed", "Confirmed"), ("dismissed", "Dismissed"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or State.OPEN
        if chosen == "all" or request.GET.get("q"):
            return queryset
        return queryset.filter(state=chosen) if chosen in State.values else queryset.none()


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class KeyFilter(ReferenceFilter):
    title, parameter_name, kind = "API key", "api_key_id", "apikey"


class GuardFilter(ValueFilter):
    title, parameter_name = "guard", "guard"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(guard.name, guard.title) for guard in registry.guards().values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = (self.value() or "").replace("\0", "")
        return queryset.filter(guards__contains=[chosen]) if chosen else queryset


@admin.register(ReviewItem)
class ReviewItemAdmin(GovernedAdmin):
    verbs = Verbs(noun="item")
    steps = {
        "confirm": Step(
            action=reviews.confirm,
            title="Confirm {}?",
            text="The guards were right. Nobody is blocked by it.",
            verb="Confirm",
            done="{}: confirmed.",
        ),
        "dismiss": Step(
            action=reviews.dismiss,
            title="Dismiss {}?",
            text="There was nothing in it.",
            verb="Dismiss",
            done="{}: dismissed.",
        ),
        "reopen": Step(
            action=reviews.reopen,
            title="Open {} again?",
            text="It waits for a decision again. Who was blocked stays blocked.",
            verb="Open it again",
            done="{} is open again.",
            grave=True,
        ),
        "block_key": Step(
            action=reviews.block_key,
            title="Block the key of {}?",
            text="It is confirmed, and the key suspended: all requests with it are refused at once, until somebody "
            "resumes it on its own page.",
            verb="Block the key",
            done="{}: confirmed, and the key is suspended.",
            grave=True,
        ),
        "block_subject": Step(
            action=reviews.block_subject,
            title="Block the person of {}?",
            text="It is confirmed, and the person's requests are refused by every gateway, until somebody ends that on "
            "the person's own page. Their rights in their data stay.",
            verb="Block the person",
            done="{}: confirmed, and the person's requests are refused.",
            grave=True,
        ),
        "note": Step(
            action=reviews.note,
            title="Write a note on {}",
            text="Notes are added, never changed.",
            verb="Write it down",
            done="The note is written down.",
            grave=True,
            form=NoteForm,
        ),
    }
    actions = ("confirm_chosen", "dismiss_chosen")  # type: ignore[assignment]
    actions_detail = ("confirm", "dismiss", "reopen", "block_key", "block_subject", "note")
    show_full_result_count = False
    empty_hint = "Exchanges appear here when a guard flags them: set a guard to flag for review in a guard policy."
    list_display = ("when", "tenant", "key", "found", "sureness", "model", "state_name", "blocked")
    list_display_links = ("when",)
    list_filter = (StateFilter, ("at", SpanFilter), TenantFilter, KeyFilter, GuardFilter)
    search_fields = ("request_id",)
    search_help_text = "Request id"
    sortable_by = ()
    paginator = LimitedPaginator
    fieldsets = (
        (None, {"fields": ("when", "state_name", "decider", "blocks", "decisions")}),
        ("Whose", {"fields": ("tenant", "application", "key", "person", "environment", "model")}),
        ("What was written", {"fields": ("content", "pages")}),
        ("Notes", {"fields": ("notes_written",)}),
    )
    readonly_fields = (
        *("when", "state_name", "decider", "blocks", "decisions", "tenant", "application", "key", "person"),
        *("environment", "model", "content", "pages", "notes_written"),
    )

    def prepare(self, rows: Sequence[ReviewItem]) -> None:
        names, blocks = names_of(rows), selectors.blocks_of([row for row in rows if _was_blocked(row)])
        for row in rows:
            row.names, row.blocks = names, blocks.get(row.pk)  # type: ignore[attr-defined]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return by_request(queryset, search_term), False

    # --- who may -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        right = "block_reviewitem" if step in ("block_key", "block_subject") else "change_reviewitem"
        return bool(request.user.has_perm(f"gateway.{right}"))

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "confirm")

    def has_block_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "block_key")

    def offers(self, row: ReviewItem) -> Collection[str]:
        decisions = {State.OPEN: ("confirm", "dismiss")}.get(State(row.state), ("reopen",))
        blocks = selectors.blocks_of([row])[row.pk]
        key = ("block_key",) if blocks.key == ApiKey.Status.ACTIVE else ()
        person = ("block_subject",) if blocks.is_person_blocked is False else ()
        return (*decisions, *key, *person, "note")

    # --- buttons -------------------------------------------------------------------------------------------------

    @button("Confirm", icon="gpp_bad", permissions=["decide"])
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("confirm", request, object_id)

    @button("Dismiss", icon="gpp_good", permissions=["decide"])
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("dismiss", request, object_id)

    @button("Open again", icon="undo", permissions=["decide"])
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("reopen", request, object_id)

    @button("Block the key", icon="key_off", url_path="block-key", permissions=["block"])
    def block_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("block_key", request, object_id)

    @button("Block the person", icon="person_off", url_path="block-subject", permissions=["block"])
    def block_subject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("block_subject", request, object_id)

    @button("Write a note", icon="edit_note", permissions=["decide"])
    def note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("note", request, object_id)

    @button("Confirm", permissions=["decide"])
    def confirm_chosen(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> None:
        self._decide_all("confirm", request, queryset)

    @button("Dismiss", permissions=["decide"])
    def dismiss_chosen(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> None:
        self._decide_all("dismiss", request, queryset)

    def _decide_all(self, step: str, request: HttpRequest, chosen: QuerySet[ReviewItem]) -> None:
        """Nothing of it is grave, so nobody is asked why; each can be opened again."""
        done = 0
        for row in chosen.filter(state=State.OPEN)[:MOST]:
            try:
                perform(self.steps[step].action, "item", row, request)
                done += 1
            except refusals.REFUSALS as error:
                messages.error(request, refusals.explain(error))
        messages.success(request, f"{done} {'confirmed' if step == 'confirm' else 'dismissed'}.")

    # --- columns -------------------------------------------------------------------------------------------------

    def called(self, row: ReviewItem) -> str:
        return f"the exchange of {row.at:%Y-%m-%d %H:%M} UTC"

    @column("Time (UTC)")
    def when(self, row: ReviewItem) -> str:
        return f"{row.at:%Y-%m-%d %H:%M:%S}"

    @column("Tenant")
    def tenant(self, row: ReviewItem) -> SafeString:
        return _names(row).of("tenant", row.tenant_id).link

    @column("Application")
    def application(self, row: ReviewItem) -> SafeString:
        return _names(row).of("application", row.application_id).link

    @column("API key")
    def key(self, row: ReviewItem) -> SafeString:
        return _names(row).of("apikey", row.api_key_id).link

    @column("Person")
    def person(self, row: ReviewItem) -> SafeString | str:
        found = selectors.person_of(row)
        if found is None:
            return "Nobody was named, or who it was is not known any more."
        return link(reverse("admin:compliance_subject_change", args=(found.pk,)), found.surrogate)

    @column("Found")
    def found(self, row: ReviewItem) -> SafeString:
        titles = ", ".join(title_of_guard(name) for name in row.guards)
        return format_html('{}<br><small class="pcl-remark">{}</small>', titles, ", ".join(_rules(row)))

    @column("Score")
    def sureness(self, row: ReviewItem) -> str:
        return f"{row.score:.2f}"

    @column("State", label=STATES)
    def state_name(self, row: ReviewItem) -> str:
        return row.get_state_display()

    @column("Decided")
    def decider(self, row: ReviewItem) -> SafeString | str:
        if row.decided_at is None:
            return "Not yet"
        kind, _, number = row.decided_by.partition(" ")
        who = Names([(kind, number)]).of(kind, number).link
        return format_html("{}, {} UTC", who, f"{row.decided_at:%Y-%m-%d %H:%M}")

    @column("Blocked", label={"Key": "danger", "Person": "danger", "Key and person": "danger", "Lifted": "default"})
    def blocked(self, row: ReviewItem) -> str | None:
        """Of whom the review has blocked, who is so still."""
        if not _was_blocked(row):
            return None
        now = _blocks(row)
        is_key = row.key_blocked_at is not None and now.key != ApiKey.Status.ACTIVE
        is_person = row.person_blocked_at is not None and now.is_person_blocked is not False
        return " and ".join(each for each in ("key" * is_key, "person" * is_person) if each).capitalize() or "Lifted"

    @column("Blocked")
    def blocks(self, row: ReviewItem) -> SafeString | str:
        now = _blocks(row)
        said = (
            *_key_blocked(row.key_blocked_at, now.key),
            *_person_blocked(row.person_blocked_at, now.is_person_blocked),
        )
        return format_html_join(mark_safe("<br>"), "{}", ((each,) for each in said)) or "Nobody"

    @column("What guards found")
    def decisions(self, row: ReviewItem) -> SafeString:
        found = GuardDecision.objects.filter(request_id=row.request_id).order_by("direction", "guard", "rule")
        lines = [(title_of_guard(each.guard), each) for each in found]
        return _rendered("gateway/review_decisions.html", {"lines": lines})

    @column("Content")
    def content(self, row: ReviewItem) -> SafeString | str:
        if Transcript.objects.filter(pk=row.request_id).exists():
            page = reverse("admin:compliance_transcript_change", args=(row.request_id,))
            return link(page, "A conversation is stored. Reading it asks for a reason, which is recorded.")
        decision = ContentDecision.objects.filter(pk=row.request_id).first()
        why = decision.get_reason_display().lower() if decision and decision.reason else "the tenant stores none"
        return f"Not stored: {why}."

    @column("Pages")
    def pages(self, row: ReviewItem) -> SafeString:
        request = str(row.request_id)
        return row_of_links(
            (
                (list_url("billing_usagerecord", q=request), "Usage record"),
                (list_url("gateway_guarddecision", q=request), "Guard decisions"),
                (list_url("gateway_reviewitem", state="all", api_key_id=row.api_key_id), "All of this key"),
            )
        )

    @column("Notes")
    def notes_written(self, row: ReviewItem) -> SafeString | str:
        if not row.notes:
            return "None yet"
        writers = [each["by"].partition(" ") for each in row.notes]
        names = Names((kind, number) for kind, _, number in writers)
        lines = [(names.of(who[0], who[2]), each) for who, each in zip(writers, row.notes, strict=True)]
        return _rendered("gateway/review_notes.html", {"lines": lines})


def _was_blocked(row: ReviewItem) -> bool:
    return bool(row.key_blocked_at or row.person_blocked_at)


def _key_blocked(at: datetime | None, status: str) -> Iterator[str]:
    """What the review did to the key, and what holds now."""
    is_active = status == ApiKey.Status.ACTIVE
    now = f"is {ApiKey.Status(status).label.lower()}" if status else "is gone"
    if at is not None:
        lifted = "; that was lifted, and it is active" if is_active else f", and {now}"
        yield f"The key was suspended on {at:%Y-%m-%d %H:%M} UTC{lifted}."
    elif not is_active:
        yield f"The key {now}, not by this review."


def _person_blocked(at: datetime | None, is_blocked: bool | None) -> Iterator[str]:
    """The same of the person."""
    now = {True: ", and still is", False: "; that was lifted", None: "; who it was is not known any more"}[is_blocked]
    if at is not None:
        yield f"The person was blocked on {at:%Y-%m-%d %H:%M} UTC{now}."
    elif is_blocked:
        yield "The person is blocked, not by this review."


def _blocks(row: ReviewItem) -> selectors.Blocks:
    found: selectors.Blocks | None = getattr(row, "blocks", None)
    return found if found is not None else selectors.blocks_of([row])[row.pk]


def _rules(row: ReviewItem) -> list[str]:
    return [rule for _, _, rule in (each.partition(".") for each in row.rules) if rule]


def _rendered(template: str, context: dict[str, Any]) -> SafeString:
    return mark_safe(render_to_string(template, context))  # noqa: S308 - an escaping template


def _names(row: ReviewItem) -> Names:
    names: Names | None = getattr(row, "names", None)
    return names if names is not None else names_of([row])
