"""The checklist: each control, what is wanted, how it stands and why, and where that can be seen."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from compliance import controls
from compliance.actions import controls as actions
from compliance.admin import refusals
from compliance.controls import WORDS, Looked, State
from compliance.models import ControlStatement
from compliance.requests import actor_of

OTHER_PAGES = {
    "audit-verification": "compliance.view_auditevent",
    "records-of-processing": "compliance.view_erasure",
}
"""Pages that are no list of a table, and the right that each asks for."""
TONES = {State.OK: "good", State.ATTENTION: "warn", State.MISSING: "bad", State.FAILED: "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """A control as the page shows it."""

    name: str
    title: str
    references: str
    wanted: str
    state: str
    tone: str
    because: str
    said: str
    evidence_url: str
    evidence: str
    can_state: bool


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """All controls, with `?framework=` those of one framework."""
    _require(request, "view")
    looked = controls.look_at_all()
    frameworks = sorted({reference.framework for each in looked for reference in each.control.references})
    chosen = request.GET.get("framework", "")
    if chosen in frameworks:
        looked = [each for each in looked if any(r.framework == chosen for r in each.control.references)]
    context = {
        **admin.site.each_context(request),
        "title": "Compliance checklist",
        "groups": _groups(request, looked),
        "may_make_pack": request.user.has_perm("compliance.add_evidencepack"),
        "counts": [(WORDS[state], TONES[state], sum(e.finding.state == state for e in looked)) for state in State],
        "frameworks": frameworks,
        "chosen": chosen if chosen in frameworks else "",
    }
    return TemplateResponse(request, "compliance/checklist.html", context)


class StatementForm(forms.ModelForm[ControlStatement]):
    """What is stated, by whom in which role, and until when."""

    class Meta:
        model = ControlStatement
        fields = ("role", "text", "expires_on")
        widgets = {
            "role": UnfoldAdminTextInputWidget,
            "text": UnfoldAdminTextareaWidget(attrs={"rows": 4}),
            "expires_on": UnfoldAdminSingleDateWidget,
        }


@require_http_methods(["GET", "POST"])
def state(request: HttpRequest, name: str) -> HttpResponse:
    """Asks for a statement about a control that nothing can compute."""
    _require(request, "add")
    control = controls.control_named(name)
    if control is None or control.compute is not None:
        raise Http404
    initial = {"expires_on": timezone.now().date() + timedelta(days=365)}
    form = StatementForm(request.POST or None, instance=ControlStatement(control=name), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.state(statement=form.instance, by=actor_of(request))
        except refusals.REFUSALS as error:
            refusals.show(error, form)
        else:
            messages.success(request, f"{control.title}: stated, until {form.instance.expires_on}.")
            return HttpResponseRedirect(reverse("checklist"))
    context = {
        **admin.site.each_context(request),
        "title": control.title,
        "control": control,
        "form": form,
        "earlier": ControlStatement.objects.filter(control=name)[:10],
    }
    return TemplateResponse(request, "compliance/control_statement.html", context)


def _groups(request: HttpRequest, looked: list[Looked]) -> list[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {}
    for each in looked:
        groups.setdefault(each.control.group, []).append(_line(request, each))
    return list(groups.items())


def _line(request: HttpRequest, looked: Looked) -> Line:
    control, finding = looked.control, looked.finding
    page, title = control.evidence or ("", "")
    return Line(
        name=control.name,
        title=control.title,
        references="; ".join(map(str, control.references)),
        wanted=control.wanted,
        state=WORDS[finding.state],
        tone=TONES[finding.state],
        because=finding.words,
        said=looked.statement.text if looked.statement else "",
        evidence_url=_url(page) if _may_open(request, page) else "",
        evidence=title,
        can_state=control.compute is None and _may(request, "add"),
    )


def _url(page: str) -> str:
    try:
        return reverse(page) if page else ""
    except NoReverseMatch:
        return ""


def _may_open(request: HttpRequest, page: str) -> bool:
    """Whether a page is theirs to see: else its name is shown, and no link that is refused."""
    user: Any = request.user
    if page in OTHER_PAGES:
        return bool(user.has_perm(OTHER_PAGES[page]))
    models = admin.site._registry.items()
    lists = {f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist": rows for model, rows in models}
    return page in lists and lists[page].has_view_or_change_permission(request)


def _may(request: HttpRequest, verb: str) -> bool:
    user: Any = request.user
    return bool(user.has_perm(f"compliance.{verb}_controlstatement"))


def _require(request: HttpRequest, verb: str) -> None:
    if not _may(request, verb):
        raise PermissionDenied
