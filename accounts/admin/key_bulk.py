"""Suspends, resumes, revokes or rotates many keys at once, after a page that lists them and asks for a reason."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from accounts.models import ApiKey
from compliance.admin import refusals
from compliance.admin.base import Step, perform
from compliance.admin.forms import ReasonForm
from compliance.admin.theme import button

MOST = 200
"""Keys at once: each is an action of its own, with its own event."""

AFTERWARDS = {"suspend": "suspended", "resume": "resumed", "revoke": "revoked for good", "rotate": "rotated"}
TEXTS = {
    "suspend": "Requests with these keys are refused at once, until somebody resumes them.",
    "resume": "Requests with these keys are served again at once.",
    "revoke": "Requests with these keys are refused at once and for ever. Whoever uses them needs new ones.",
    "rotate": "Each key gets a new secret, and the links to them go to those who are told of rotations. The old "
    "secrets go on working for the overlap, and until the new ones are claimed.",
}
"""Of `Step`, in plural."""


class KeyBulk:
    """Part of the admin of keys: actions on those that are ticked."""

    actions: Any = ("suspend_chosen", "resume_chosen", "revoke_chosen", "rotate_chosen")
    steps: ClassVar[dict[str, Step]]
    offers: Callable[[Any], Any]

    @button("Suspend", permissions=["change"])
    def suspend_chosen(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return self._take_all("suspend", request, queryset)

    @button("Resume", permissions=["change"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return self._take_all("resume", request, queryset)

    @button("Revoke for good", permissions=["change"])
    def revoke_chosen(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return self._take_all("revoke", request, queryset)

    @button("Rotate now", permissions=["change"])
    def rotate_chosen(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return self._take_all("rotate", request, queryset)

    def _take_all(self, step: str, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(chosen.select_related("tenant", "application__tenant").order_by("application", "name")[: MOST + 1])
        if len(keys) > MOST:
            messages.error(request, f"Choose at most {MOST} keys at once.")
            return None
        if not self.may_take(request, step):  # type: ignore[attr-defined]
            raise PermissionDenied
        fitting = [key for key in keys if step in self.offers(key)]
        if not fitting:
            messages.warning(request, f"None of these keys can be {AFTERWARDS[step]}.")
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None, required=True)
        if form.is_valid():
            self._perform_all(step, request, fitting, form.cleaned_data["reason"])
            return None
        return self._page(step, request, fitting, len(keys) - len(fitting), form)

    def _perform_all(self, step: str, request: HttpRequest, keys: Sequence[ApiKey], reason: str) -> None:
        done = 0
        for key in keys:
            try:
                perform(self.steps[step].action, "key", key, request, reason=reason)
                done += 1
            except refusals.REFUSALS as error:
                messages.error(request, refusals.explain(error))
        if done:
            count = "1 key is" if done == 1 else f"{done} keys are"
            messages.success(request, f"{count} {AFTERWARDS[step]}.")

    def _page(
        self, step: str, request: HttpRequest, keys: Sequence[ApiKey], left_out: int, form: ReasonForm
    ) -> TemplateResponse:
        count = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
        verb = "Revoke" if step == "revoke" else capfirst(step)
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "title": f"{verb} {count}{' for good' if step == 'revoke' else ''}?",
            "opts": self.opts,  # type: ignore[attr-defined]
            "step": self.steps[step],
            "text": TEXTS[step],
            "keys": keys,
            "left_out": left_out,
            "why_not": f"cannot be {AFTERWARDS[step]} as they are now",
            "form": form,
            "checkbox": ACTION_CHECKBOX_NAME,
            "action": f"{step}_chosen",
        }
        return TemplateResponse(request, "accounts/keys_chosen.html", context)
