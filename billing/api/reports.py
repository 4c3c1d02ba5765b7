"""Reports of usage over the API: JSON, CSV and spreadsheets of what the admin's page shows."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponseBase, QueryDict
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import money, report_params, report_table, reports
from billing.actions import downloads
from billing.api import shapes
from billing.api.access import MayReadUsage, StaffSession
from billing.exports.download import WRITERS, download
from billing.exports.table import Table
from billing.report_params import Asked, BadParameter
from billing.reports import Line, Report, Sums
from compliance.api import problems
from compliance.contracts import Actor
from compliance.requests import actor_of

MOST = 100
FORMS = ("json", *WRITERS)
PER = ("total", "day")


class AlwaysJson(BaseContentNegotiation):
    """Answers are JSON, but for files, which `format` asks for and no renderer writes."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Reports(APIView):
    """What the requests of a span of days add up to, by one dimension: requests, tokens and cost."""

    authentication_classes = [StaffSession]
    permission_classes = [MayReadUsage]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson

    def get_exception_handler(self) -> Any:
        return problems.answer

    @extend_schema(**shapes.READ_REPORT)
    def get(self, request: Request) -> HttpResponseBase:
        try:
            return _answer(request._request.GET, by=actor_of(request._request))
        except BadParameter as error:
            raise problems.InvalidParameter(error.param, str(error)) from error


def _answer(sent: QueryDict, *, by: Actor) -> HttpResponseBase:
    rest = sent.copy()
    form, per = _taken(rest, "format", FORMS), _taken(rest, "per", PER)
    asked = report_params.parse(rest, most=MOST)
    if per == "day":
        if form == "json":
            raise BadParameter("format", "A line for each day and key comes as a file. Send format=csv or format=xlsx.")
        return _taken_away(asked, report_table.of_days(asked), per=per, form=form, by=by)
    found = reports.report(asked.query)
    if form == "json":
        return Response(_as_json(asked, found))
    return _taken_away(asked, report_table.of_report(asked, found), per=per, form=form, by=by)


def _taken_away(asked: Asked, table: Table, *, per: str, form: str, by: Actor) -> HttpResponseBase:
    tenant_id = asked.tenant.pk if asked.tenant else None
    downloads.report(params=asked.params, per=per, tenant_id=tenant_id, form=form, by=by)
    return download(table, form=form)


def _taken(sent: QueryDict, name: str, known: tuple[str, ...]) -> str:
    """Takes out a parameter that says how to answer rather than what; the first one known where it is not sent."""
    values = sent.pop(name, [])
    if len(values) > 1 or (values and values[0] not in known):
        raise BadParameter(name, f"{name} is one of {', '.join(known)}. Send one of them, once.")
    return str(values[0]) if values else known[0]


def _as_json(asked: Asked, found: Report) -> dict[str, Any]:
    params = asked.params
    return {
        "span": {"from": asked.span.start, "to": asked.span.last, "time_zone": found.zone},
        "split": str(asked.by),
        "filters": {name: text for name, text in params.items() if name not in ("span", "from", "to", "split")},
        "lines": [_line(line, found.total) for line in found.lines],
        "others": _line(found.others, found.total) if found.others else None,
        "total": _sums(found.total, found.total),
        "generated_at": timezone.now(),
    }


def _line(line: Line, total: Sums) -> dict[str, Any]:
    return {"key": line.key, "label": line.label, **_sums(line, total)}


def _sums(sums: Sums, total: Sums) -> dict[str, Any]:
    """The fields as they are, and money as decimal text as well."""
    return {
        **{name: value for name, value in asdict(sums).items() if name not in ("key", "label", "day")},
        "cost_usd": f"{money.to_dollars(sums.cost_nano):f}",
        "estimated_usd": f"{money.to_dollars(sums.estimated_nano):f}",
        "cost_share": str(report_table.share(sums.cost_nano, total.cost_nano)),
        "estimated_share": str(report_table.share(sums.estimated_nano, sums.cost_nano)),
    }
