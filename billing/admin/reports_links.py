"""Where a report's lines, bars and chips lead: to the same page, asked for more narrowly or more widely."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from django.urls import reverse
from django.utils.http import urlencode

from billing import reports
from billing.report_params import NONE, Asked, is_answerable, param_of
from billing.report_spans import SpanName
from billing.reports import OTHERS, Dimension
from compliance.admin.links import list_url

NEXT = {
    Dimension.TENANT: (Dimension.APPLICATION,),
    Dimension.APPLICATION: (Dimension.API_KEY, Dimension.MODEL),
    Dimension.API_KEY: (Dimension.MODEL,),
    Dimension.ENVIRONMENT: (Dimension.APPLICATION, Dimension.MODEL),
    Dimension.MODEL: (Dimension.APPLICATION, Dimension.API_KEY),
    Dimension.PROVIDER: (Dimension.MODEL,),
    Dimension.END_USER: (Dimension.APPLICATION,),
    Dimension.TAG: (Dimension.APPLICATION,),
    Dimension.DAY: (Dimension.TENANT, Dimension.APPLICATION, Dimension.MODEL),
}
"""What one asks next of a line: the first of these that is not settled yet, else its days."""
LISTED = {Dimension.APPLICATION: "application_id", Dimension.API_KEY: "api_key_id", Dimension.MODEL: "model"}
"""What the list of usage records can be filtered by, and how it calls it."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses around one report; `kept` are parameters of the page itself, which all of them carry on."""

    asked: Asked
    kept: Mapping[str, str]

    def to(self, **changes: str) -> str:
        """The same page with some parameters changed; an empty one is left out."""
        params = {**self.asked.params, **self.kept, **changes}
        return f"{reverse('reports')}?{urlencode({name: text for name, text in params.items() if text})}"

    def of_line(self, key: str) -> str:
        """One line alone, split by what one asks next; nothing for the lines that hold several keys."""
        if key == OTHERS:
            return ""
        by = self.asked.by
        if by is Dimension.DAY:
            return self.of_days(date.fromisoformat(key), date.fromisoformat(key), split=str(self.next(key)))
        return self.to(**{param_of(by): key or NONE, "split": str(self.next(key))})

    def of_days(self, first: date, last: date, **changes: str) -> str:
        """Some of the days, both included."""
        return self.to(span=SpanName.CUSTOM, **{"from": str(first), "to": str(last)}, **changes)

    def without(self, name: str) -> str:
        """The same, of more requests: without one of the filters. A tag goes with its value, unless it is split by."""
        gone = ("tag", "tag_value") if name == "tag_value" and self.asked.by is not Dimension.TAG else (name,)
        return self.to(**dict.fromkeys(gone, ""))

    def file(self, form: str, per: str) -> str:
        """Exactly this report as a file, or a line for each of its days and keys."""
        params = {**self.asked.params, "limit": str(self.asked.most), "per": per, "format": form}
        return f"{reverse('billing:reports')}?{urlencode(params)}"

    def next(self, key: str) -> Dimension:
        """What to split by where one line is chosen."""
        query = self.asked.narrowed(key)
        settled = {*query.filters, *([Dimension.TENANT] if query.tenant_id else [])}
        wanted = (*NEXT[self.asked.by], Dimension.DAY) if self.asked.by is not Dimension.DAY else NEXT[Dimension.DAY]
        fitting = (by for by in wanted if by not in settled and is_answerable(replace(query, by=by)))
        return next(fitting, self.asked.by)

    def records(self) -> str:
        """The usage records that were added up; nothing where their list has no such filter."""
        filters = self.asked.filters
        if not filters.keys() <= LISTED.keys() or not all(filters.values()):
            return ""
        named = {LISTED[by]: key for by, key in filters.items()}
        if self.asked.tenant:
            named["tenant_id"] = str(self.asked.tenant.pk)
        start, end = (_midnight(day, self.asked) for day in (self.asked.span.start, self.asked.span.end))
        moments = {"at_from_0": start.date(), "at_from_1": start.time(), "at_to_0": end.date(), "at_to_1": end.time()}
        return list_url("billing_usagerecord", **named, **{name: str(value) for name, value in moments.items()})


def _midnight(day: date, asked: Asked) -> datetime:
    zone = reports.zone_of(asked.tenant.pk if asked.tenant else None)
    return datetime.combine(day, time(), zone).astimezone(UTC)
