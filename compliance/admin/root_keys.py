"""Asking that a version of the root key is retired; another person agrees, or not, under Approvals."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from compliance.actions import root_keys
from compliance.admin import refusals
from compliance.admin.base import Step
from compliance.admin.forms import ReasonForm
from compliance.errors import KeyStoreUnavailable
from compliance.models import Approval
from compliance.requests import actor_of

MAY_ASK = "compliance.add_approval"

RETIRE = Step(
    action=root_keys.ask,
    title="Ask to retire root key {}?",
    text="Nothing is done before another person approves it, under Approvals. From then on nothing can be sealed under "
    "it, so that it can be thrown away once the backups that need it are gone.",
    verb="Ask",
    done="Another person has to approve that root key {} is retired. Nothing is done before.",
    grave=True,
)


def asked_for() -> set[str]:
    """The versions whose retirement waits for another person."""
    waiting = Approval.objects.filter(
        action=root_keys.ACTION, state=Approval.State.REQUESTED, expires_at__gt=timezone.now()
    )
    return set(waiting.values_list("target_id", flat=True))


def ask_page(request: HttpRequest, version: int) -> HttpResponse:
    """Asks why; with POST, asks for the retirement in the name of whoever is signed in."""
    if not request.user.has_perm(MAY_ASK):
        raise PermissionDenied
    form, back = ReasonForm(request.POST or None, required=True), reverse("admin:keys_tenantkey_changelist")
    if request.method == "POST" and form.is_valid():
        try:
            root_keys.ask(version=version, reason=form.cleaned_data["reason"], by=actor_of(request))
        except (*refusals.REFUSALS, KeyStoreUnavailable) as error:
            messages.error(request, refusals.explain(error))
        else:
            messages.success(request, RETIRE.done.format(version))
        return HttpResponseRedirect(back)
    title = RETIRE.title.format(version)
    context = {**admin.site.each_context(request), "title": title, "step": RETIRE, "form": form, "back": back}
    return TemplateResponse(request, "admin/confirm.html", context)
