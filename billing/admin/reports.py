"""The page of reports: asks, draws, lists, and hands out files of what it shows.

The form is posted and answered with a redirect, so that addresses name an end user by surrogate only: browsers and logs
keep addresses.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing import report_params, reports
from billing.admin import reports_chart, reports_form, reports_lines, reports_notes
from billing.admin.reports_links import Links
from billing.report_params import NONE, Asked, BadParameter, param_of
from billing.report_table import title_of
from billing.reports import Dimension
from billing.rights import may_read_usage
from compliance.admin.names import Names

MOST = 50
KINDS = {Dimension.APPLICATION: "application", Dimension.API_KEY: "apikey"}
"""Filters whose keys are those of rows, which have names."""


@dataclass(frozen=True, slots=True)
class Way:
    """A link: to a file, to another measure, or to the same without a filter."""

    label: str
    url: str
    title: str = ""
    is_chosen: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The report that the address asks for, or the way to the one that the form asks for."""
    if not may_read_usage(request.user):
        raise PermissionDenied
    sent, chart = _sent(request)
    try:
        if request.method == "POST":
            sent = reports_form.sent_params(request.POST)
        asked = report_params.parse(sent, most=MOST)
    except BadParameter as error:
        return _mistaken(request, sent, error)
    links = Links(asked, kept={"chart": chart} if chart != "cost" else {})
    if request.method == "POST":
        return HttpResponseRedirect(links.to())
    return _render(
        request, _report(links, chart), reports_form.AskForm(asked.params, reports_form.choices(asked), None)
    )


def _sent(request: HttpRequest) -> tuple[QueryDict, str]:
    """The address without what is the page's own: which measure the chart shows."""
    sent = request.GET.copy()
    chart = str(sent.pop("chart", ["cost"])[-1])
    return sent, chart if chart in reports_chart.MEASURES else "cost"


def _texts(sent: QueryDict) -> dict[str, str]:
    return {name: str(sent[name]) for name in sent}


def _mistaken(request: HttpRequest, sent: QueryDict, error: BadParameter) -> HttpResponse:
    form = reports_form.AskForm(_texts(sent), reports_form.choices(None), error)
    status = 200 if request.method == "POST" else 400
    return _render(request, {}, form, status=status)


def _render(request: HttpRequest, shown: dict[str, Any], form: Any, *, status: int = 200) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Reports", "form": form, **shown}
    return TemplateResponse(request, "billing/reports.html", context, status=status)


def _report(links: Links, measure: str) -> dict[str, Any]:
    asked = links.asked
    found = reports.report(asked.query)
    drawn = reports_chart.draw(
        reports.chart(replace(asked.query, most=reports_chart.MOST_SERIES)),
        reports_chart.MEASURES[measure],
        links,
        today=timezone.now().astimezone(reports.zone_of(asked.query.tenant_id)).date(),
    )
    return {
        "span_words": f"{asked.span.words}, days in {found.zone}",
        "chart": drawn,
        "measures": _measures(links, measure),
        "table": reports_lines.lay_out(found, links, drawn.colours),
        "chips": _chips(links),
        "downloads": _downloads(links),
        "notes": reports_notes.of(asked, reports.zone_of(asked.query.tenant_id)),
        "records_url": links.records(),
        "empty_words": _empty_words(asked),
    }


def _measures(links: Links, chosen: str) -> list[Way]:
    return [
        Way(measure.title, links.to(chart="" if name == "cost" else name), is_chosen=name == chosen)
        for name, measure in reports_chart.MEASURES.items()
    ]


def _chips(links: Links) -> list[Way]:
    """What the report is narrowed to, each with the way back."""
    asked = links.asked
    names = Names((KINDS[by], key) for by, key in asked.filters.items() if by in KINDS)
    chips = [Way(f"Tenant: {asked.tenant.name}", links.without("tenant"))] if asked.tenant else []
    for by, key in asked.filters.items():
        called = names.of(KINDS[by], key).label if by in KINDS and key else key or NONE
        chips.append(Way(f"{title_of(asked, by)}: {called}", links.without(param_of(by))))
    return chips


def _downloads(links: Links) -> list[Way]:
    ways = [
        Way("CSV", links.file("csv", "total"), "This table as text"),
        Way("XLSX", links.file("xlsx", "total"), "This table as a spreadsheet"),
    ]
    if links.asked.by is not Dimension.DAY:
        title = "A line for each day and each of them, none left out"
        ways += [
            Way("CSV by day", links.file("csv", "day"), title),
            Way("XLSX by day", links.file("xlsx", "day"), title),
        ]
    return ways


def _empty_words(asked: Asked) -> str:
    if asked.filters or asked.tenant:
        return "No such requests in these days. Choose a longer span, or remove a filter above."
    return "No requests in these days. Choose a longer span; a new request shows up seconds after it ends."
