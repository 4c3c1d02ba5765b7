"""The versions of providers' credentials: which is in use, which wait, and which can be used again."""

from collections.abc import Collection

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.forms import ReasonForm
from compliance.admin.theme import button, column
from compliance.requests import actor_of
from gateway.actions import credentials
from gateway.admin.providers import tell
from gateway.credentials import is_meant_for
from gateway.models import ProviderCredential

State = ProviderCredential.State
COLOURS = {"In use": "success", "Pending": "info", "Retired": "default", "Refused": "danger", "Destroyed": "default"}


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(GovernedAdmin):
    verbs = Verbs(noun="credential")
    steps = {
        "test_now": Step(
            action=credentials.try_out,
            title="Test {} now?",
            text="The provider is asked for its models. If it accepts this version, requests use it at once.",
            verb="Test it",
            done="",
        ),
        "use_anyway": Step(
            action=credentials.use_anyway,
            title="Use {} anyway?",
            text="Requests use it at once, though the provider has not accepted it in a test. If it does not work, "
            "they fail until you roll back.",
            verb="Use it anyway",
            done="{} is in use.",
            grave=True,
        ),
        "roll_back": Step(
            action=credentials.roll_back,
            title="Roll back to {}?",
            text="Requests use this version again at once; the one in use is retired.",
            verb="Roll back",
            done="{} is in use again.",
            grave=True,
        ),
        "dismiss": Step(
            action=credentials.dismiss,
            title="Give up {}?",
            text="It is not tested any more. The one in use stays.",
            verb="Give it up",
            done="{} is given up.",
        ),
    }
    actions_detail = ("test_now", "use_anyway", "roll_back", "dismiss")
    empty_hint = "The first version comes with a provider's credential."
    list_display = ("provider_name", "number", "standing", "ending", "came_from", "tested", "since")
    list_display_links = ("provider_name", "number")
    list_filter = (("provider", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("provider",)
    search_fields = ("provider__slug", "provider__name", "last_four__exact")
    search_help_text = "Provider, or the last four characters"
    fieldsets = (
        (None, {"fields": ("provider_name", "number", "standing", "ending", "came_from", "address")}),
        ("Test", {"fields": ("result", "tested")}),
        ("Times (UTC)", {"fields": ("since", "ended", "destroyed")}),
    )
    readonly_fields = (
        *("provider_name", "number", "standing", "ending", "came_from", "address"),
        *("result", "tested", "since", "ended", "destroyed"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderCredential]:
        rows: QuerySet[ProviderCredential] = super().get_queryset(request).select_related("provider").defer("sealed")
        return rows

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return request.user.has_perm("gateway.change_providercredential")

    def offers(self, row: ProviderCredential) -> Collection[str]:
        if row.destroyed_at or (row.state != State.PENDING and not is_meant_for(row, row.provider)):
            return ()
        return {
            State.PENDING: ("test_now", "use_anyway", "dismiss"),
            State.REFUSED: ("use_anyway",),
            State.RETIRED: ("roll_back",),
        }.get(State(row.state), ())

    @button("Test again", url_path="test-now")
    def test_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.may_take(request, "test_now"):
            raise PermissionDenied
        form = ReasonForm(request.POST or None, row=row, required=False)
        if request.method != "POST" or not form.is_valid():
            return self._confirmation(request, row, self.steps["test_now"], form)
        reason = form.cleaned_data["reason"]
        tell(request, lambda: credentials.try_out(credential=row, by=actor_of(request), reason=reason))
        return self.to_page_of(object_id)

    @button("Use it anyway", url_path="use-anyway")
    def use_anyway(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("use_anyway", request, object_id)

    @button("Roll back to it", url_path="roll-back")
    def roll_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("roll_back", request, object_id)

    @button("Give it up", url_path="dismiss")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("dismiss", request, object_id)

    @column("Provider", ordering="provider__name")
    def provider_name(self, row: ProviderCredential) -> str:
        return row.provider.name

    @column("Version", ordering="version")
    def number(self, row: ProviderCredential) -> int:
        return row.version

    @column("State", label=COLOURS, ordering="state")
    def standing(self, row: ProviderCredential) -> str:
        return "Destroyed" if row.destroyed_at else row.get_state_display()

    @column("Ends in")
    def ending(self, row: ProviderCredential) -> str:
        return row.last_four or "–"

    @column("Came from", ordering="origin")
    def came_from(self, row: ProviderCredential) -> str:
        return row.get_origin_display()

    @column("Result")
    def result(self, row: ProviderCredential) -> str:
        return f"{row.get_outcome_display()}: {row.answered}" if row.outcome else "Not tested"

    @column("Tested (UTC)", ordering="tested_at")
    def tested(self, row: ProviderCredential) -> str:
        return f"{row.tested_at:%Y-%m-%d %H:%M}" if row.tested_at else "–"

    @column("Stored (UTC)", ordering="created_at")
    def since(self, row: ProviderCredential) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M}"

    @column("Retired or refused")
    def ended(self, row: ProviderCredential) -> str:
        return f"{row.ended_at:%Y-%m-%d %H:%M}" if row.ended_at else "–"

    @column("Destroyed")
    def destroyed(self, row: ProviderCredential) -> str:
        return f"{row.destroyed_at:%Y-%m-%d %H:%M}" if row.destroyed_at else "–"
