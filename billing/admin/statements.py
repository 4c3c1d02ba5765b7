"""The page of monthly statements, and their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Tenant
from billing import money, statements
from billing.actions import downloads
from billing.exports import statement_cells
from billing.exports.statement_cells import cells_of
from billing.reports import Line
from billing.rights import may_read_usage
from billing.statements import Statement
from compliance.requests import actor_of


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart; the height in per cent of the highest."""

    label: str
    title: str
    height: str


class ChooseForm(forms.Form):
    """Which tenant's, and which month."""

    tenant = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    month = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, tenant: Tenant | None, month: date | None, months: Sequence[date]) -> None:
        super().__init__(initial={"tenant": tenant and tenant.slug, "month": month and f"{month:%Y-%m}"})
        named = Tenant.objects.order_by("name").values_list("slug", "name")
        self.fields["tenant"].choices = [("", "Choose one"), *named]  # type: ignore[attr-defined]
        self.fields["month"].choices = [(f"{each:%Y-%m}", f"{each:%B %Y}") for each in months]  # type: ignore[attr-defined]
        if not months:
            del self.fields["month"]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The statement that the address asks for (`tenant`, a slug, and `month`), as a page or, with `format=pdf`, a file;
    without a tenant, a choice of one."""
    if not may_read_usage(request.user):
        raise PermissionDenied
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Statements"}
    tenant = _tenant(request)
    if tenant is None:
        return TemplateResponse(request, "billing/statement.html", {**context, "form": ChooseForm(None, None, ())})
    statement = _statement(tenant, request.GET.get("month", ""))
    if request.GET.get("format") == "pdf":
        downloads.statement(
            number=statement.number,
            fingerprint=statement.fingerprint,
            tenant_id=tenant.pk,
            form="pdf",
            by=actor_of(request),
        )
        return _file(statement)
    months = sorted({statement.month, *statements.months(tenant)}, reverse=True)
    context["form"] = ChooseForm(tenant, statement.month, months)
    return TemplateResponse(request, "billing/statement.html", {**context, **_shown(statement)})


def _statement(tenant: Tenant, month: str) -> Statement:
    """Of the month that the address names, or of the current one."""
    try:
        return statements.statement(tenant, statements.month_of(month) if month else statements.months(tenant)[0])
    except (ValueError, OverflowError) as error:
        raise Http404(str(error)) from error


def _tenant(request: HttpRequest) -> Tenant | None:
    slug = request.GET.get("tenant", "")
    if not slug:
        return None
    tenant = Tenant.objects.filter(slug=slug.replace("\0", "")).first()
    if tenant is None:
        raise Http404("There is no such tenant.")
    return tenant


def _file(statement: Statement) -> HttpResponse:
    from billing.exports import statement_pdf  # here, so that processes that serve requests need not hold its library

    response = HttpResponse(statement_pdf.pdf(statement), content_type=statement_pdf.CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="statement-{statement.number}.pdf"'
    response["Cache-Control"] = "no-store"
    return response


def _shown(statement: Statement) -> dict[str, Any]:
    """The statement in words and texts, as the template has it."""
    sections = (("By model", statement.models), ("By application", statement.applications), ("By key", statement.keys))
    usage = statement.usage
    return {
        "title": f"Statement {statement.month:%B %Y}",
        "tenant": statement.tenant,
        "statement": statement,
        "as_of": statement_cells.when(statement),
        "pdf": f"?tenant={statement.tenant.slug}&month={statement.month:%Y-%m}&format=pdf",
        "totals": (
            ("Total", money.in_full(statement.total_nano), "usage and adjustments"),
            ("Usage", money.in_full(usage.cost_nano), f"{statement.estimated} of it estimated"),
            ("Adjustments", money.in_full(statement.adjusted_nano), _count(len(statement.adjustments), "line")),
            ("Requests", f"{usage.requests:,}", f"{usage.refused:,} of them refused"),
        ),
        "tokens": (
            ("Input", f"{usage.input_tokens:,}"),
            ("of it cached", f"{usage.cached_input_tokens:,}"),
            ("of it written to cache", f"{usage.cache_write_tokens:,}"),
            ("Output", f"{usage.output_tokens:,}"),
            ("of it reasoning", f"{usage.reasoning_tokens:,}"),
        ),
        "headings": statement_cells.NUMBERS,
        "sections": [
            (title, [(line.label or "without a name", cells_of(line)) for line in lines]) for title, lines in sections
        ],
        "chart": _chart(statement.days),
        "adjustments": [
            (
                f"{each.at.astimezone(statement.zone):%Y-%m-%d %H:%M}",
                each.about,
                each.reason,
                money.in_full(each.amount_nano),
            )
            for each in statement.adjustments
        ],
    }


def _chart(days: Any) -> dict[str, Any]:
    top = max(line.cost_nano for line in days)
    return {"top": money.show(top), "half": money.show(top // 2), "bars": [_bar(line, top) for line in days]}


def _bar(line: Line, top: int) -> Bar:
    thousandths = line.cost_nano * 1000 // top if top else 0
    height = f"{thousandths // 10}.{thousandths % 10}"
    return Bar(str(int(line.key[-2:])), f"{line.key}: {money.in_full(line.cost_nano)}", height)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
