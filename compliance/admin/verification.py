"""The page on the audit log's verification: what the last runs found, and closing the alarm."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from compliance import under_way, verification
from compliance.actions import verification as actions
from compliance.actions import verification_asking
from compliance.admin import refusals
from compliance.admin.forms import ReasonForm
from compliance.admin.names import Names
from compliance.evidence.findings import Finding
from compliance.models import AuditEvent, AuditLeaf, AuditLog, JobRun
from compliance.requests import actor_of

SHOWN = 10
MAY_SEE, MAY_CLOSE = "compliance.view_auditevent", "compliance.change_auditlog"


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """What was found; with POST, and a reason, closes the alarm; with POST to `?now`, has a worker verify it all."""
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied
    if request.method == "POST" and "now" in request.GET:
        _ask(request)
        return HttpResponseRedirect(reverse("audit-verification"))
    may_close = request.user.has_perm(MAY_CLOSE)
    form = ReasonForm(request.POST or None, required=True)
    if request.method == "POST":
        if not may_close:
            raise PermissionDenied
        if form.is_valid() and _closed(request, form.cleaned_data["reason"]):
            return HttpResponseRedirect(reverse("audit-verification"))
    alarm = verification.read_alarm()
    altered = JobRun.objects.get(pk=alarm.run_id) if alarm else None
    context = {
        **admin.site.each_context(request),
        "title": "Verification of the audit log",
        "alarm": alarm,
        "findings": _places(verification.findings_of(altered)) if altered else [],
        "runs": [_shown(run) for run in verification.runs()[:SHOWN]],
        "form": form,
        "may_close": may_close,
        "may_ask": True,
        "ask_url": f"{reverse('audit-verification')}?now",
        "job": under_way.job(verification.KIND),
    }
    return TemplateResponse(request, "compliance/verification.html", context)


def banner(request: HttpRequest) -> verification.Alarm | None:
    """What stands on top of every page, for everybody who is signed in."""
    return verification.alarm() if request.user.is_authenticated else None


def _ask(request: HttpRequest) -> None:
    try:
        verification_asking.ask_for(by=actor_of(request))
    except refusals.REFUSALS as error:
        messages.error(request, refusals.explain(error))
    else:
        messages.success(request, "A worker begins with the verification. Reload this page to see how far it is.")


def _places(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings, with whose log each is in, and the event at its place."""
    logs = {log.origin: log for log in AuditLog.objects.filter(origin__in={each.log for each in findings})}
    known = Names(("tenant", str(log.tenant_id)) for log in logs.values() if log.tenant_id is not None)
    return [
        {"finding": each, "whose": _whose(logs.get(each.log), known), "event_url": _event_url(logs.get(each.log), each)}
        for each in findings
    ]


def _whose(log: AuditLog | None, known: Names) -> SafeString | str:
    if log is None:
        return ""
    return "The platform" if log.tenant_id is None else known.of("tenant", log.tenant_id).link


def _event_url(log: AuditLog | None, finding: Finding) -> str:
    """The page of the event at the finding's place; empty if there is none any more."""
    if log is None or finding.index is None:
        return ""
    leaf = AuditLeaf.objects.filter(log=log, index=finding.index).first()
    if leaf is None or not AuditEvent.objects.filter(pk=leaf.event_id).exists():
        return ""
    return reverse("admin:compliance_auditevent_change", args=(leaf.event_id,))


def _acknowledged(said: str) -> str:
    """By whom, with a person's name where the run has only a number."""
    when, by, who = said.partition(" by user ")
    return f"{when} by {Names([('user', who)]).of('user', who)}" if by else said


def _closed(request: HttpRequest, reason: str) -> bool:
    try:
        actions.acknowledge(by=actor_of(request), reason=reason)
    except refusals.REFUSALS as error:
        messages.error(request, refusals.explain(error))
        return False
    messages.success(request, "The alarm is closed. Your reason is in the audit log.")
    return True


def _shown(run: JobRun) -> dict[str, Any]:
    result, words = run.result, run.get_state_display()
    if run.state == JobRun.State.DONE:
        found, unchecked = result.get("findings", 0), len(result.get("unchecked", []))
        words = (
            f"{found:,} finding{'' if found == 1 else 's'}"
            if found
            else "not all could be verified"
            if unchecked
            else "as it was sealed"
        )
    return {
        "started": run.started_at,
        "url": reverse("admin:compliance_jobrun_change", args=(run.pk,)),
        "words": words,
        "error": run.error,
        "unchecked": result.get("unchecked", []),
        "part": result.get("scope") == "part",
        "events": result.get("events"),
        "acknowledged": _acknowledged(result.get("acknowledged", "")),
    }
