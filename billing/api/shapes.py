"""What the API says of its answers."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from accounts.tokens import ENVIRONMENTS
from billing.exports import csv_text, xlsx_file
from billing.report_params import MOST_LINES, NONE
from billing.report_spans import SpanName
from billing.reports import Dimension

_COUNTS = {
    "requests": "All of them, those refused and failed included.",
    "refused": "",
    "failed": "",
    "input_tokens": "With those cached and written to a cache.",
    "cached_input_tokens": "",
    "cache_write_tokens": "",
    "output_tokens": "With those of reasoning.",
    "reasoning_tokens": "",
    "cost_nano": "Nano-dollars: 10⁻⁹ dollars.",
    "estimated_nano": "The part of the cost whose tokens were counted here, as the provider reported none.",
}


def _count(text: str) -> serializers.Field[Any, Any, Any, Any]:
    return serializers.IntegerField(min_value=0, max_value=2**63 - 1, help_text=text)


def _decimal(text: str) -> serializers.Field[Any, Any, Any, Any]:
    return serializers.RegexField(r"^[0-9]+\.[0-9]+$", help_text=text)


def _sums() -> dict[str, Any]:
    return {
        **{name: _count(text) for name, text in _COUNTS.items()},
        "cost_usd": _decimal("Dollars, exactly, with nine places."),
        "estimated_usd": _decimal("Dollars, exactly, with nine places."),
        "cost_share": _decimal("Of the total, from 0 to 1."),
        "estimated_share": _decimal("Of the line's own cost, from 0 to 1."),
    }


def _line() -> dict[str, Any]:
    key = "A primary key, a name, or a day; empty where requests had none."
    return {
        "key": serializers.CharField(allow_blank=True, help_text=key),
        "label": serializers.CharField(allow_blank=True, help_text="The same for people."),
        **_sums(),
    }


_SPAN: dict[str, Any] = {
    "from": serializers.DateField(),
    "to": serializers.DateField(help_text="The last day, included."),
    "time_zone": serializers.CharField(help_text="Of the days: the tenant's where one is chosen, else UTC."),
}
REPORT = inline_serializer(
    "Report",
    {
        "span": inline_serializer("ReportSpan", _SPAN),
        "split": serializers.ChoiceField([str(each) for each in Dimension]),
        "filters": serializers.DictField(
            child=serializers.CharField(allow_blank=True), help_text="What was narrowed to, as parameters."
        ),
        "lines": inline_serializer("ReportLine", _line(), many=True),
        "others": inline_serializer(
            "ReportOthers", _line(), allow_null=True, help_text="What the lines leave out; null if nothing."
        ),
        "total": inline_serializer("ReportTotal", _sums()),
        "generated_at": serializers.DateTimeField(),
    },
)
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The parameter that is wrong."},
                "code": {"type": "string"},
            },
        }
    },
}
_REFUSALS = {
    400: "A parameter is wrong; `param` names it, and the message says what to send.",
    401: "Nobody is signed in.",
    403: "Whoever is signed in may not see usage.",
}


def _parameter(name: str, text: str, type_: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, type_, OpenApiParameter.QUERY, description=text, **more)


PARAMETERS = [
    _parameter("span", "Days to add up.", enum=[str(each) for each in SpanName], default=str(SpanName.THIS_MONTH)),
    _parameter("from", "First day, of a custom span.", OpenApiTypes.DATE),
    _parameter("to", "Last day, included, of a custom span.", OpenApiTypes.DATE),
    _parameter("split", "One line for each of these.", enum=[str(each) for each in Dimension], default="day"),
    _parameter("tenant", "A tenant's short name or number."),
    _parameter("application", f"An application's number, or its short name beside its tenant; or {NONE}."),
    _parameter("api_key", f"A key's number, or the id within its text; or {NONE}."),
    _parameter("environment", "The keys' environment.", enum=list(ENVIRONMENTS)),
    _parameter("model", f"As clients name it; or {NONE}."),
    _parameter("provider", f"A provider's short name; or {NONE}."),
    _parameter("end_user", f"A surrogate, or beside its tenant the application's own identifier; or {NONE}."),
    _parameter("tag", "The tag that `split=tag` and `tag_value` speak of."),
    _parameter("tag_value", f"A value of that tag; or {NONE}."),
    _parameter("limit", f"Most lines, 1 to {MOST_LINES}; what is left out is added up.", OpenApiTypes.INT, default=100),
    _parameter(
        "per",
        "`total`: a line for each key. `day`: in a file, a line for each day and key, all of them.",
        enum=["total", "day"],
        default="total",
    ),
    _parameter("format", "JSON, or a file.", enum=["json", "csv", "xlsx"], default="json"),
]


def _media(content_type: str) -> str:
    return content_type.partition(";")[0]


READ_REPORT: dict[str, Any] = {
    "operation_id": "readUsageReport",
    "tags": ["billing"],
    "parameters": PARAMETERS,
    "responses": {
        (200, "application/json"): REPORT,
        (200, _media(csv_text.CONTENT_TYPE)): OpenApiTypes.STR,
        (200, _media(xlsx_file.CONTENT_TYPE)): OpenApiTypes.BINARY,
        **{
            (status, "application/json"): OpenApiResponse(_ERROR, description=text)
            for status, text in _REFUSALS.items()
        },
    },
}
