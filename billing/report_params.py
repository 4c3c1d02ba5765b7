"""What a report is asked for, as the parameters of an address: read, checked, and written again.

The admin's page and the API take the same ones. A parameter that is unknown or sent twice is refused: a filter with a
spelling mistake would otherwise show everybody's money.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.http import QueryDict
from django.utils import timezone

from accounts.models import ApiKey, Application, Tenant
from accounts.pseudonyms import is_pseudonym
from accounts.tokens import ENVIRONMENTS
from billing import end_users, report_spans, reports
from billing.report_spans import Span, SpanName
from billing.reports import Dimension, Query, Unanswerable

NONE = "(none)"
"""Stands in an address for the requests that name no model, no end user and so on."""
FILTERS: tuple[Dimension, ...] = tuple(
    each for each in Dimension if each not in (Dimension.TENANT, Dimension.TAG, Dimension.DAY)
)
NAMES = ("span", "from", "to", "tenant", "split", "tag", "tag_value", *FILTERS, "limit")
MOST_LINES = 1000
LONGEST = 256


class BadParameter(ValueError):
    """A parameter makes no sense; the message says to a person what to send."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for, and can be answered. `by` is called split outside; `filters` are as in `Query`."""

    span: Span
    tenant: Tenant | None
    by: Dimension
    tag: str
    filters: Mapping[Dimension, str]
    most: int

    @property
    def query(self) -> Query:
        return Query(
            start=self.span.start,
            end=self.span.end,
            tenant_id=self.tenant.pk if self.tenant else None,
            by=self.by,
            tag=self.tag,
            filters=self.filters,
            most=self.most,
        )

    @property
    def params(self) -> dict[str, str]:
        """The parameters that ask for the same again; an end user is their surrogate now, never their identifier."""
        params = {"span": str(self.span.name)}
        if self.span.name is SpanName.CUSTOM:
            params |= {"from": self.span.start.isoformat(), "to": self.span.last.isoformat()}
        if self.tenant:
            params["tenant"] = self.tenant.slug
        params["split"] = str(self.by)
        if self.tag:
            params["tag"] = self.tag
        return params | {param_of(by): key or NONE for by, key in self.filters.items()}

    def narrowed(self, key: str) -> Query:
        """The query for one of its lines alone."""
        query = self.query
        if query.by is Dimension.TENANT:
            return replace(query, tenant_id=int(key))
        if query.by is Dimension.DAY:
            day = date.fromisoformat(key)
            return replace(query, start=day, end=day + timedelta(days=1))
        return replace(query, filters={**query.filters, query.by: key})


def parse(sent: QueryDict, *, most: int) -> Asked:
    """What the parameters ask for; `most` lines unless they say otherwise.

    Raises:
        BadParameter: for the first one that is wrong.
    """
    params = _texts(sent)
    tenant = _tenant(params.get("tenant", ""))
    tag = params.get("tag", "")
    by = _choice("split", params.get("split") or Dimension.DAY, Dimension)
    _check_tag(tag, by=by, value=params.get("tag_value", ""))
    asked = Asked(
        span=_span(params, today=timezone.now().astimezone(reports.zone_of(tenant.pk if tenant else None)).date()),
        tenant=tenant,
        by=Dimension(by),
        tag=tag,
        filters=_filters(params, tenant),
        most=_limit(params.get("limit", ""), most),
    )
    _check(asked)
    return asked


def _texts(sent: QueryDict) -> dict[str, str]:
    """Every parameter that says something."""
    for name in sent:
        if name not in NAMES:
            raise BadParameter(name, f"There is no parameter {_quoted(name)}. Send any of: {', '.join(NAMES)}.")
        if len(sent.getlist(name)) > 1:
            raise BadParameter(name, f"{name} was sent more than once. Send it once.")
        if "\0" in sent[name] or len(sent[name]) > LONGEST:
            raise BadParameter(name, f"{name} is no text of at most {LONGEST} characters.")
    return {name: text.strip() for name, text in sent.items() if isinstance(text, str) and text.strip()}


def _quoted(text: str) -> str:
    """What somebody sent, short enough to be read in a sentence."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _choice(name: str, text: str, known: Iterable[str]) -> str:
    values = [str(each) for each in known]
    if text not in values:
        raise BadParameter(name, f"{_quoted(text)} is not a {name}. Send one of: {', '.join(values)}.")
    return text


# --- the span -------------------------------------------------------------------------------------------------------


def _span(params: Mapping[str, str], *, today: date) -> Span:
    """Days count where the span is custom, or is not named at all."""
    has_days = "from" in params or "to" in params
    fallback = SpanName.CUSTOM if has_days else SpanName.THIS_MONTH
    name = SpanName(_choice("span", params.get("span") or fallback, SpanName))
    if name is not SpanName.CUSTOM:
        return report_spans.named(name, today=today)
    first, last = _day("from", params), _day("to", params)
    if last < first:
        raise BadParameter("to", f"The last day, {last}, is before the first, {first}. Send a later one.")
    return report_spans.custom(first, last)


def _day(name: str, params: Mapping[str, str]) -> date:
    text = params.get(name, "")
    if not text:
        raise BadParameter(name, f"{name} is missing. Send the {_ENDS[name]} day, such as 2026-05-31.")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise BadParameter(name, f"{_quoted(text)} is not a day. Send it as 2026-05-31.") from error
    if not 2000 <= day.year <= 2200:
        raise BadParameter(name, f"{day} is too far away. Send a day from 2000 to 2200.")
    return day


_ENDS = {"from": "first", "to": "last"}


def _limit(text: str, most: int) -> int:
    if not text:
        return most
    if not _is_number(text) or not 1 <= int(text) <= MOST_LINES:
        raise BadParameter("limit", f"{_quoted(text)} is not a number of lines. Send one from 1 to {MOST_LINES}.")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


# --- whose ----------------------------------------------------------------------------------------------------------


def _tenant(text: str) -> Tenant | None:
    if not text:
        return None
    number = Tenant.objects.filter(pk=int(text)).first() if _is_number(text) else None
    tenant = Tenant.objects.filter(slug=text).first() or number
    if tenant is None:
        raise BadParameter("tenant", f"There is no tenant {_quoted(text)}. Send its short name or its number.")
    return tenant


def _filters(params: Mapping[str, str], tenant: Tenant | None) -> dict[Dimension, str]:
    filters: dict[Dimension, str] = {by: _key(by, params[by], tenant) for by in FILTERS if by in params}
    if "tag_value" in params:
        filters[Dimension.TAG] = "" if params["tag_value"] == NONE else params["tag_value"]
    return filters


def _key(by: Dimension, text: str, tenant: Tenant | None) -> str:
    """What the rollups know the value by."""
    if text == NONE:
        return ""
    match by:
        case Dimension.APPLICATION:
            return _application(text, tenant)
        case Dimension.API_KEY:
            return _api_key(text, tenant)
        case Dimension.END_USER:
            return _end_user(text, tenant)
        case Dimension.ENVIRONMENT:
            return _choice(by, text, ENVIRONMENTS)
        case _:
            return text


def _application(text: str, tenant: Tenant | None) -> str:
    """A number is believed, unless it is another tenant's: usage outlives what it names."""
    if not _is_number(text):
        if tenant is None:
            raise BadParameter("application", "Send the application's number, or choose its tenant as well.")
        found = Application.objects.filter(tenant=tenant, slug=text).first()
        if found is None:
            raise BadParameter("application", f"{tenant} has no application {_quoted(text)}.")
        return str(found.pk)
    _check_owner("application", Application.objects.filter(pk=int(text)).first(), tenant)
    return str(int(text))


def _api_key(text: str, tenant: Tenant | None) -> str:
    by_id = ApiKey.objects.filter(public_id=text).first()
    if by_id is None and not _is_number(text):
        raise BadParameter("api_key", f"There is no key {_quoted(text)}. Send its number, or the id within its text.")
    key = by_id or ApiKey.objects.filter(pk=int(text)).first()
    _check_owner("api_key", key, tenant)
    return str(key.pk if key else int(text))


def _check_owner(name: str, row: Application | ApiKey | None, tenant: Tenant | None) -> None:
    if row is not None and tenant is not None and row.tenant_id != tenant.pk:
        raise BadParameter(name, f"It belongs to another tenant than {tenant}. Send one of that tenant.")


def _end_user(text: str, tenant: Tenant | None) -> str:
    """A surrogate as it is; what the application calls the person becomes theirs."""
    if is_pseudonym(text):
        return text
    if tenant is None:
        raise BadParameter("end_user", "To look somebody up by the application's own identifier, choose a tenant too.")
    try:
        return end_users.surrogate_of(text, tenant=tenant)
    except end_users.UnknownEndUser as error:
        raise BadParameter("end_user", str(error)) from error


# --- what goes together ---------------------------------------------------------------------------------------------


def _check_tag(tag: str, *, by: str, value: str) -> None:
    if not tag and by == Dimension.TAG:
        raise BadParameter("tag", "A report by tag needs the tag's name. Send it, such as tag=feature.")
    if tag and not value and by != Dimension.TAG:
        raise BadParameter("tag_value", "A tag was sent without a value. Send its value, or split by tag.")
    if not tag and value:
        raise BadParameter("tag", "A value was sent without its tag. Send the tag's name, such as tag=feature.")


def _check(asked: Asked) -> None:
    try:
        reports.check(asked.query)
    except Unanswerable as error:
        raise BadParameter(_blamed(asked), str(error)) from error


def _blamed(asked: Asked) -> str:
    """The parameter that is missing, or that is one too many."""
    query = asked.query
    if (query.end - query.start).days > reports.MOST_DAYS:
        return "from"
    if asked.tenant is None and is_answerable(replace(query, tenant_id=0)):
        return "tenant"
    if is_answerable(replace(query, by=Dimension.DAY)):
        return "split"
    without = {by: {each: key for each, key in query.filters.items() if each != by} for by in query.filters}
    blamed = next((by for by in without if is_answerable(replace(query, filters=without[by]))), query.by)
    return param_of(blamed) if blamed in without else "split"


def is_answerable(query: Query) -> bool:
    try:
        reports.check(query)
    except Unanswerable:
        return False
    return True


def param_of(by: Dimension) -> str:
    """The parameter that filters by a dimension."""
    return "tag_value" if by is Dimension.TAG else str(by)
