"""What the endpoints for subject requests take and give."""

from typing import Any

from rest_framework import serializers

from compliance.actions.requests import LONGEST
from compliance.api.access import Strict
from compliance.api.shapes import subject_field
from compliance.models import SubjectExport, SubjectRequest
from compliance.models.requests import RIGHTS, STATES
from compliance.selectors_requests import erasure_of

RIGHT_NAMES = [right for right, _ in RIGHTS]


class RequestIn(Strict):
    """What a person asks for."""

    subject = subject_field()
    right = serializers.ChoiceField(RIGHT_NAMES)
    details = serializers.CharField(
        max_length=LONGEST,
        required=False,
        allow_blank=True,
        help_text="Their own words; of a rectification what is wrong and what is right. Kept under the person's key.",
    )
    purpose = serializers.SlugField(
        max_length=50, required=False, allow_blank=True, help_text="Of a withdrawal or objection: which; else all."
    )
    regime = serializers.SlugField(
        max_length=20, required=False, allow_blank=True, help_text="Whose deadlines hold: `gdpr`, `ccpa` or your own."
    )
    identity = serializers.ChoiceField(
        ["asserted", "code"],
        required=False,
        help_text="`asserted`: you have made sure that it is them. `code`: you get a code to send to them.",
    )


class VerifyIn(Strict):
    """The code that a person received."""

    code = serializers.RegexField(r"^[0-9]{8}$", help_text="Eight digits.")


class CodeOut(serializers.Serializer[Any]):
    """A one-time code, to be sent to the person."""

    code = serializers.CharField()
    holds_for_s = serializers.IntegerField(help_text="Seconds.")


class ExportOut(serializers.Serializer[Any]):
    """The file at the end of a request."""

    sha256 = serializers.CharField(help_text="Of the zip file.")
    records = serializers.IntegerField()
    expires_on = serializers.DateField(help_text="On this day it is deleted.")
    is_there = serializers.BooleanField()


class RequestOut(serializers.Serializer[Any]):
    """A request, as applications see it."""

    id = serializers.UUIDField()
    surrogate = serializers.CharField(help_text="What the person is called here.")
    right = serializers.ChoiceField(RIGHT_NAMES)
    purpose = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField([state for state, _ in STATES])
    regime = serializers.CharField()
    received_at = serializers.DateTimeField()
    acknowledge_by = serializers.DateField(allow_null=True)
    due_on = serializers.DateField(help_text="The last day, in the tenant's time zone.")
    due_at = serializers.DateTimeField(help_text="The first moment after it.")
    extended = serializers.BooleanField()
    identity = serializers.CharField(allow_blank=True, help_text="How it was proved who asks; empty: not yet.")
    decision_reason = serializers.CharField(allow_blank=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    export = ExportOut(allow_null=True)


class FiledOut(RequestOut):
    """The same, with the one-time code if one was asked for."""

    code = serializers.CharField(allow_null=True, required=False, help_text="Shown once: send it to the person.")


class RequestEventOut(serializers.Serializer[Any]):
    """One thing that happened to a request."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    state = serializers.CharField(allow_blank=True, source="after")


class RequestDetail(RequestOut):
    """The same, with how it got there."""

    because = serializers.ListField(child=serializers.CharField(), help_text="How the due date was found.")
    history = RequestEventOut(many=True)
    result = serializers.DictField(help_text="What came of it.")
    certificate = serializers.DictField(allow_null=True, help_text="Of an erasure that is complete; signed.")


class RequestPage(serializers.Serializer[Any]):
    """Requests, the newest first."""

    requests = RequestOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Send it as `before` for those that follow.")


def filed(row: SubjectRequest) -> dict[str, Any]:
    """A request as the API gives it."""
    return dict(RequestOut(_values(row)).data)


def detailed(row: SubjectRequest) -> dict[str, Any]:
    """The same, with how it got there."""
    erasure = erasure_of(row) if row.right == "erasure" else None
    more = {
        "because": row.because,
        "history": row.events.all(),
        "result": row.result,
        "certificate": erasure.certificate if erasure else None,
    }
    return dict(RequestDetail({**_values(row), **more}).data)


def _values(row: SubjectRequest) -> dict[str, Any]:
    computed = ("id", "surrogate", "extended", "export")
    same = {name: getattr(row, name) for name in map(str, RequestOut().fields) if name not in computed}
    export = SubjectExport.objects.filter(request=row).first()
    return {
        **same,
        "id": row.public_id,
        "surrogate": row.subject.surrogate,
        "extended": row.extended_at is not None,
        "export": _export(export) if export else None,
    }


def _export(export: SubjectExport) -> dict[str, Any]:
    return {
        "sha256": export.zip_sha256,
        "records": export.records,
        "expires_on": export.expires_on,
        "is_there": export.deleted_at is None,
    }
