"""A tenant's audit log for its own applications: events, proofs, checkpoints. Reading it is on record, too."""

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import selectors_audit
from compliance.actions import audit_reading
from compliance.api import audit_shapes, params, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from compliance.models import AuditCheckpoint, AuditEvent, AuditLog
from compliance.selectors_audit import Asked, ProofMissing

TAG = "audit"
BROKEN = {503: "The log does not match its checkpoints. Tell your administrator, who verifies it."}


class LogAltered(APIException):
    """The log does not prove what it should."""

    status_code = 503
    default_code = "audit_log_altered"
    default_detail = BROKEN[503]


class AuditLogView(ApplicationView):
    """Of the log of the key's own tenant, and of no other."""

    scope = "audit"


class Events(AuditLogView):
    """What was done."""

    @extend_schema(
        **shapes.described(
            "listAuditEvents",
            TAG,
            audit_shapes.EventPage,
            refusals=shapes.NONSENSE,
            parameters=audit_shapes.parameters(),
            description="The events of your tenant that match all that is sent, the newest first.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, (*audit_shapes.FILTERS, *audit_shapes.TIMES, "before", "limit"))
        asked, before, limit = _asked(request), _number(request, "before"), params.limit(request)
        _note(request, "events")
        rows = selectors_audit.events(asked)
        page = list((rows.filter(pk__lt=before) if before is not None else rows)[: limit + 1])
        last = str(page[limit - 1].pk) if len(page) > limit else None
        return Response({"events": [audit_shapes.event(row) for row in page[:limit]], "next": last})


class Event(AuditLogView):
    """One of them, and its proof."""

    @extend_schema(
        **shapes.described(
            "readAuditEvent",
            TAG,
            audit_shapes.EventWithProof,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND, **BROKEN},
            parameters=[shapes.parameter("size", "Of the checkpoint to prove it by; else the first over it.", int)],
            description="An event, with the proof that it is in the log as a checkpoint signs it.",
        )
    )
    def get(self, request: Request, event_id: int) -> Response:
        params.known_only(request, ("size",))
        size = _number(request, "size")
        _note(request, "event")
        row = AuditEvent.objects.filter(tenant_id=caller_of(request).tenant_id, pk=event_id).first()
        if row is None:
            raise NotFound("There is no such event in your log.")
        checkpoint = _checkpoint(_log(request), size) if size is not None else None
        place = selectors_audit.place_of(row.pk)
        if checkpoint and (place is None or checkpoint.size <= place.index):
            raise InvalidParameter("size", "That checkpoint is older than the event. Leave it out.")
        try:
            found = selectors_audit.proof_of(row, checkpoint=checkpoint)
        except ProofMissing as error:
            raise LogAltered from error
        if found is not None and not found.holds:
            raise LogAltered
        proof = audit_shapes.proof(row, found) if found else None
        return Response({"event": audit_shapes.event(row), "proof": proof})


class Checkpoints(AuditLogView):
    """What was signed."""

    @extend_schema(
        **shapes.described(
            "listAuditCheckpoints",
            TAG,
            audit_shapes.CheckpointPage,
            refusals=shapes.NONSENSE,
            parameters=[
                shapes.parameter("size", "The one over so many events.", int),
                shapes.parameter("before", "The `next` of the page before.", int),
                shapes.parameter("limit", f"1 to {params.MOST}.", int, default=params.DEFAULT),
            ],
            description="The checkpoints of your tenant's log, the newest first. Keep some: then whoever changes what "
            "they are over is found out.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("size", "before", "limit"))
        size, before, limit = _number(request, "size"), _number(request, "before"), params.limit(request)
        _note(request, "checkpoints")
        rows = AuditCheckpoint.objects.filter(log__tenant_id=caller_of(request).tenant_id)
        rows = rows.select_related("log").order_by("-size")
        if size is not None:
            rows = rows.filter(size=size)
        if before is not None:
            rows = rows.filter(size__lt=before)
        page = list(rows[: limit + 1])
        last = page[limit - 1].size if len(page) > limit else None
        return Response({"checkpoints": [audit_shapes.checkpoint(row) for row in page[:limit]], "next": last})


class Consistency(AuditLogView):
    """That nothing which was signed once was changed since."""

    @extend_schema(
        **shapes.described(
            "proveAuditConsistency",
            TAG,
            audit_shapes.ConsistencyOut,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND, **BROKEN},
            parameters=[
                shapes.parameter("from", "The size of the older checkpoint.", int, required=True),
                shapes.parameter("to", "The size of the newer one; else the newest.", int),
            ],
            description="The proof that the log of the newer checkpoint begins with that of the older one.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("from", "to"))
        old_size, new_size = _number(request, "from"), _number(request, "to")
        if old_size is None:
            raise InvalidParameter("from", "Send the size of the checkpoint that you have.")
        _note(request, "consistency")
        log = _log(request)
        old, new = _checkpoint(log, old_size), _checkpoint(log, new_size)
        if new.size < old.size:
            raise InvalidParameter("to", "Send a size that is not smaller than `from`.")
        try:
            hashes = selectors_audit.consistency(old, new)
        except ProofMissing as error:
            raise LogAltered from error
        shown = {"old": audit_shapes.checkpoint(old), "new": audit_shapes.checkpoint(new)}
        return Response({**shown, "hashes": [each.hex() for each in hashes]})


def _note(request: Request, what: str) -> None:
    caller = caller_of(request)
    audit_reading.note(tenant_id=caller.tenant_id, what=what, by=caller.actor)


def _log(request: Request) -> AuditLog:
    log = selectors_audit.log_of(caller_of(request).tenant_id)
    if log is None:
        raise NotFound("Nothing of your tenant's log was signed yet; a checkpoint comes within a minute.")
    return log


def _checkpoint(log: AuditLog, size: int | None) -> AuditCheckpoint:
    found = selectors_audit.checkpoint_of(log, size=size)
    if found is None:
        raise NotFound("There is no checkpoint of that size; /api/audit/checkpoints lists those that there are.")
    return found


def _asked(request: Request) -> Asked:
    texts = {name: params.text(request, name, most=audit_shapes.MOST_CHARACTERS) for name in audit_shapes.FILTERS}
    if texts["target_id"] and not texts["target_kind"]:
        raise InvalidParameter("target_kind", "Send it with target_id, to say which kind of object it numbers.")
    if texts["actor_id"] and not texts["actor_kind"]:
        raise InvalidParameter("actor_kind", "Send it with actor_id, to say which kind of actor it numbers.")
    since, until = _moment(request, "since"), _moment(request, "until")
    if since and until and since >= until:
        raise InvalidParameter("until", "Send a moment after `since`.")
    return Asked(tenant_id=caller_of(request).tenant_id, since=since, until=until, **texts)


def _moment(request: Request, name: str) -> datetime | None:
    text = params.text(request, name, most=40)
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidParameter(name, "Send a time as 2026-03-14T15:09:26Z.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(request: Request, name: str) -> int | None:
    text: Any = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidParameter(name, "Send a number as it was given to you.")
    return int(text)
