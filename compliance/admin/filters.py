"""Filters for tables that refer by plain values, and grow without end."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from compliance.admin import names

if TYPE_CHECKING:
    from django.contrib.admin import FieldListFilter as RangeDateTimeFilter
    from django.contrib.admin import RelatedFieldListFilter as RelatedDropdownFilter
    from django.contrib.admin import SimpleListFilter as DropdownFilter
else:
    from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter


class ReferenceFilter(DropdownFilter):
    """Rows that refer to one row of `kind`, chosen by its name."""

    kind: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return names.choices(self.kind)

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if not chosen:
            return queryset
        return queryset.filter(**{str(self.parameter_name): chosen}) if _is_number(chosen) else queryset.none()


class RelationFilter(RelatedDropdownFilter):
    """Rows with a foreign key to one row, chosen by the name that tells it from others."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*names.choices(field.related_model._meta.model_name)]


class ValueFilter(DropdownFilter):
    """Rows with one value of a short column, chosen from a list or written into the address."""

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = (self.value() or "").replace("\0", "")
        return queryset.filter(**{str(self.parameter_name): chosen}) if chosen else queryset


class SpanFilter(RangeDateTimeFilter):
    """Rows from one moment (UTC) until before another; the theme's own filter takes them for local times."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "period (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup in (("from", "gte"), ("to", "lt")):
            day, time = (request.GET.get(f"{self.field_path}_{end}_{n}", "") for n in (0, 1))
            if moment := _moment(day, time):
                queryset = queryset.filter(**{f"{self.field_path}__{lookup}": moment})
        return queryset


class SinceFilter(DropdownFilter):
    """Rows since some days ago. Unless `default` is empty it holds until another is chosen, so that a table of many
    millions of rows is not read from end to end by accident."""

    title = "time (UTC)"
    parameter_name = "since"
    field: ClassVar[str]
    default: ClassVar[str] = ""
    spans: ClassVar[dict[str, tuple[str, int]]] = {
        "today": ("Today", 0),
        "yesterday": ("Since yesterday", 1),
        "week": ("Last 7 days", 7),
        "month": ("Last 30 days", 30),
        "quarter": ("Last 90 days", 90),
    }
    everything = "all"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.all_option = ["", self.spans[self.default][0] if self.default else "All time"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        spans = [(name, label) for name, (label, _) in self.spans.items()]
        return [*spans, (self.everything, "All time")] if self.default else spans

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ("" if is_narrowed(request, self.field) else self.default)
        if chosen not in self.spans:
            return queryset
        return queryset.filter(**{f"{self.field}__gte": days_ago(self.spans[chosen][1])})


def is_narrowed(request: HttpRequest, field: str) -> bool:
    """Whether a search or a range of time says already which rows are wanted."""
    return any(request.GET.get(name) for name in ("q", *(f"{field}_{end}_0" for end in ("from", "to"))))


def days_ago(days: int) -> datetime:
    """Midnight UTC so many days ago; 0 is today's."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


def _moment(day: str, time: str) -> datetime | None:
    """What the two fields say; midnight where only the day is given, nothing where they make no sense."""
    try:
        return datetime.fromisoformat(f"{day} {time or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 19
