"""Exports of a tenant's audit log, asked for and fetched by its applications."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from compliance import selectors_audit_exports
from compliance.actions import audit_exports
from compliance.api import shapes
from compliance.api.access import ApplicationView, Strict, caller_of
from compliance.api.requests import AnyType
from compliance.bundles.filters import MOST_CHARACTERS, Filters
from compliance.exports.handing import hand_out
from compliance.models import AuditExport

TAG = "audit"
RANGE = OpenApiParameter(
    "Range", OpenApiTypes.STR, OpenApiParameter.HEADER, description="To go on with a download: `bytes=1048576-`."
)


def _text(help_text: str) -> serializers.CharField:
    return serializers.CharField(max_length=MOST_CHARACTERS, required=False, allow_blank=True, help_text=help_text)


class AuditExportIn(Strict):
    """Which events: all that is sent must match. Nothing: the whole log, which alone proves that none is missing."""

    since = serializers.DateTimeField(required=False, allow_null=True, help_text="From this moment on.")
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="Before this moment.")
    action = _text("As `budget.changed`; with a point at its end, as `budget.`, all of that object.")
    target_kind = _text("What it was done to, as `budget`.")
    target_id = _text("The number of that.")
    actor_kind = _text("`user`, `key`, `command`, `task`, `system`, or `anonymous` for nobody who is known.")
    actor_id = _text("The number of that.")
    outcome = _text("`success`, `refused` or `failure`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("since") and attrs.get("until") and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": ["Send a moment after `since`."]})
        return attrs


class AuditExportOut(serializers.Serializer[Any]):
    """One export. Poll it until `state` is `ready`, `failed` or `deleted`."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField([str(state) for state in AuditExport.State])
    progress_percent = serializers.IntegerField()
    problem = serializers.CharField(allow_blank=True, help_text="Why it failed, or was deleted before its time.")
    filters = serializers.DictField()
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    origin = serializers.CharField(allow_blank=True, help_text="The name of the log.")
    tree_size = serializers.IntegerField(allow_null=True, help_text="How many events the log had.")
    root_hash = serializers.CharField(allow_blank=True, help_text="The root of its tree then, in hex.")
    events = serializers.IntegerField(allow_null=True, help_text="How many are in the file.")
    bytes = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_blank=True, help_text="Of the file, in hex.")
    expires_on = serializers.DateField(allow_null=True, help_text="On this day (UTC) the file is deleted.")
    file = serializers.CharField(allow_null=True, help_text="Where it is fetched, once it is ready.")


class AuditExports(ApplicationView):
    """Exports of the tenant's log."""

    scope = "audit"

    @extend_schema(
        **shapes.described(
            "exportAuditLog",
            TAG,
            AuditExportOut,
            status=202,
            request=AuditExportIn,
            refusals={**shapes.NONSENSE, 409: "`conflict`: several that this key asked for are being made."},
            description="Asks for a bundle of the tenant's audit log as of now: the events in three formats, with "
            "proofs and a program that verifies them. A job makes it; poll its address, which is in `Location`.",
        )
    )
    def post(self, request: Request) -> Response:
        sent = AuditExportIn(data=request.data)
        sent.is_valid(raise_exception=True)
        caller = caller_of(request)
        chosen = Filters(**{name: value for name, value in sent.validated_data.items() if value})
        export = audit_exports.request(
            export=AuditExport(tenant_id=caller.tenant_id, filters=chosen.as_json()), by=caller.actor
        )
        page = reverse("compliance:audit-export", args=(export.public_id,))
        return Response(_shown(export), status=202, headers={"Location": page})


class OneAuditExport(ApplicationView):
    """One export."""

    scope = "audit"

    @extend_schema(
        **shapes.described(
            "readAuditExport",
            TAG,
            AuditExportOut,
            refusals=shapes.NOT_FOUND,
            description="How far it is, and what came of it. Exports that your tenant's keys asked for are seen here; "
            "those that people asked for in the admin are not.",
        )
    )
    def get(self, request: Request, export_id: UUID) -> Response:
        return Response(_shown(_found(request, export_id)))


class AuditExportFile(ApplicationView):
    """The file."""

    scope = "audit"
    content_negotiation_class = AnyType

    @extend_schema(
        **shapes.described(
            "downloadAuditExport",
            TAG,
            OpenApiTypes.BINARY,
            parameters=[RANGE],
            refusals={
                **shapes.NOT_FOUND,
                409: "`conflict`: there is no file yet, or it was deleted.",
                416: "No byte that `Range` asks for is in the file.",
            },
            description="The bundle, a zip file; with `Range` a part of it (206). Each download is in the audit log.",
        )
    )
    def get(self, request: Request, export_id: UUID) -> HttpResponseBase:
        export, by = _found(request, export_id), caller_of(request).actor
        return hand_out(
            lambda first, last: audit_exports.download(
                export=export, by=by, may_download_any=True, first=first, last=last
            ),
            size=export.file_bytes or 0,
            sha256=export.sha256,
            name=selectors_audit_exports.name_of(export),
            asked=request.headers.get("Range", ""),
            if_range=request.headers.get("If-Range", ""),
        )


def _found(request: Request, export_id: UUID) -> AuditExport:
    asked_by_keys = AuditExport.objects.filter(tenant_id=caller_of(request).tenant_id, asked_by_kind="key")
    found = asked_by_keys.filter(public_id=export_id).first()
    if found is None:
        raise NotFound("There is no such export.")
    return found


def _shown(export: AuditExport) -> dict[str, Any]:
    run = selectors_audit_exports.runs_of([export]).get(export.pk)
    is_ready = export.state == AuditExport.State.READY
    return {
        "id": str(export.public_id),
        "state": export.state,
        "progress_percent": selectors_audit_exports.percent_of(export, run),
        "problem": export.problem,
        "filters": export.filters,
        "asked_at": export.asked_at,
        "finished_at": export.finished_at,
        "origin": export.origin,
        "tree_size": export.tree_size,
        "root_hash": export.root,
        "events": export.events,
        "bytes": export.file_bytes,
        "sha256": export.sha256,
        "expires_on": export.expires_on,
        "file": reverse("compliance:audit-export-file", args=(export.public_id,)) if is_ready else None,
    }
