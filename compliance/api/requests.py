"""Requests of people about their data, filed and followed by the applications that they use."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import selectors
from compliance.actions import exports, identity, short_ways, subjects
from compliance.actions.requests import Asked
from compliance.api import params, request_shapes, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from compliance.exports.download import download
from compliance.models import Subject, SubjectRequest
from compliance.rights import Right
from compliance.selectors_requests import erasure_request_of

TAG = "subject requests"


class SubjectRequests(ApplicationView):
    """All requests of the tenant's people."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "fileSubjectRequest",
            TAG,
            request_shapes.FiledOut,
            status=201,
            repeats=True,
            request=request_shapes.RequestIn,
            refusals={
                **shapes.NONSENSE,
                **shapes.NOT_FOUND,
                **shapes.NOT_NOW,
                409: "It cannot be filed: `subject_erased`, `request_refused`. The message says why.",
            },
            description="Files a request; from now on the clock runs. Withdrawals and opt-outs are carried out before "
            "the answer. The same again, while the first is open, gives the first, with 200.",
        )
    )
    def post(self, request: Request) -> Response:
        sent = request_shapes.RequestIn(data=request.data)
        sent.is_valid(raise_exception=True)
        caller, values = caller_of(request), dict(sent.validated_data)
        subject = _person(caller.tenant_id, values.pop("subject"))
        with_code = values.pop("identity", "asserted") == "code"
        asked = Asked(right=Right(values.pop("right")), **values)
        row, code, is_new = short_ways.ask(subject=subject, asked=asked, with_code=with_code, by=caller.actor)
        body = {**request_shapes.filed(row), "code": code or None}
        return Response(body, status=201 if is_new else 200)

    @extend_schema(
        **shapes.described(
            "listSubjectRequests",
            TAG,
            request_shapes.RequestPage,
            refusals=shapes.NONSENSE,
            parameters=[
                shapes.parameter("subject", "Of one person, as your requests name them."),
                shapes.parameter("open", "`true`: only those that are not closed.", enum=["true", "false"]),
                shapes.parameter("before", "The `next` of the page before."),
                shapes.parameter("limit", f"1 to {params.MOST}.", int, default=params.DEFAULT),
            ],
            description="The newest first.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("subject", "open", "before", "limit"))
        rows, limit = _asked_for(request), params.limit(request)
        if before := params.uuid(request, "before"):
            last = rows.filter(public_id=before).first()
            if last is None:
                raise InvalidParameter("before", "There is no such page; send the `next` of the page before.")
            rows = rows.filter(pk__lt=last.pk)
        page = list(rows[: limit + 1])
        following = str(page[limit - 1].public_id) if len(page) > limit else None
        return Response({"requests": [request_shapes.filed(row) for row in page[:limit]], "next": following})


class OneRequest(ApplicationView):
    """One request."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "readSubjectRequest",
            TAG,
            request_shapes.RequestDetail,
            refusals=shapes.NOT_FOUND,
            description="Where it stands, until when it is due and why then, and what has happened so far.",
        )
    )
    def get(self, request: Request, request_id: UUID) -> Response:
        return Response(request_shapes.detailed(_found(request, request_id)))


class Verify(ApplicationView):
    """Proof of identity by a one-time code."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "verifySubjectRequest",
            TAG,
            request_shapes.FiledOut,
            request=request_shapes.VerifyIn,
            refusals={
                **shapes.NONSENSE,
                **shapes.NOT_FOUND,
                409: "`invalid_code`: it is wrong, older than an hour, or was tried five times.",
            },
            description="Takes the code that the person received from you.",
        )
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        sent = request_shapes.VerifyIn(data=request.data)
        sent.is_valid(raise_exception=True)
        row = _found(request, request_id)
        row = identity.verify(request=row, code=sent.validated_data["code"], by=caller_of(request).actor)
        return Response(request_shapes.filed(row))


class Code(ApplicationView):
    """Another one-time code."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "makeIdentityCode",
            TAG,
            request_shapes.CodeOut,
            status=201,
            request=None,
            refusals={
                **shapes.NOT_FOUND,
                409: "`request_refused`: five were made, or the last one just now. `illegal_transition`: no proof is "
                "wanted any more.",
            },
            description="A new code for you to send to the person; the one before is void. It is shown here only.",
        )
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        row = _found(request, request_id)
        code = identity.make_code(request=row, by=caller_of(request).actor)
        return Response({"code": code, "holds_for_s": int(identity.HOLDS_FOR.total_seconds())}, status=201)


class AnyType(BaseContentNegotiation):
    """Refusals are JSON, and the file is what it is, whatever is said to be accepted."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Export(ApplicationView):
    """The file at the end of an access or portability request."""

    scope = "subjects"
    content_negotiation_class = AnyType

    @extend_schema(
        **shapes.described(
            "downloadSubjectExport",
            TAG,
            OpenApiTypes.BINARY,
            refusals={
                **shapes.NOT_FOUND,
                **shapes.NOT_NOW,
                409: "`request_refused`: there is no file yet, or it was deleted when its time was over.",
            },
            description="A zip of JSON Lines, a page to read and a signed list of the files. Pass it on to the person; "
            "each download is recorded.",
        )
    )
    def get(self, request: Request, request_id: UUID) -> HttpResponseBase:
        row = _found(request, request_id)
        pieces = exports.hand_over(request=row, by=caller_of(request).actor)
        return download(pieces, name=f"{row.right}-{row.public_id}.zip", content_type="application/zip")


class OneSubject(ApplicationView):
    """One person."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "eraseSubject",
            TAG,
            request_shapes.FiledOut,
            status=202,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND, **shapes.NOT_NOW},
            parameters=[
                OpenApiParameter(
                    "external_id",
                    OpenApiTypes.STR,
                    OpenApiParameter.PATH,
                    description="The person, as your requests name them, percent-encoded.",
                )
            ],
            description="Erases a person whom your application vouches for. With the answer nothing is stored of them "
            "any more and their key is destroyed; the rest follows, and ends with a certificate. Calling it again "
            "gives the same request.",
        )
    )
    def delete(self, request: Request, external_id: str) -> Response:
        caller = caller_of(request)
        row = short_ways.erase(subject=_person(caller.tenant_id, external_id), by=caller.actor)
        return Response(request_shapes.filed(row), status=202)


def _person(tenant_id: int, external_id: str) -> Subject:
    """Somebody who was seen before: asking about others enrols nobody."""
    if not external_id.strip() or len(external_id) > subjects.LONGEST or "\0" in external_id:
        raise InvalidParameter(
            "subject", f"Send the person's id in your application, 1 to {subjects.LONGEST} characters."
        )
    found = selectors.find(tenant_id=tenant_id, external_id=external_id)
    if found is None:
        raise NotFound("Nobody of that name was ever seen; nothing is stored about them.")
    return found


def _found(request: Request, request_id: UUID) -> SubjectRequest:
    rows = SubjectRequest.objects.select_related("subject", "tenant")
    row = rows.filter(tenant_id=caller_of(request).tenant_id, public_id=request_id).first()
    if row is None:
        raise NotFound("There is no such request.")
    return row


def _asked_for(request: Request) -> Any:
    tenant_id = caller_of(request).tenant_id
    rows = SubjectRequest.objects.filter(tenant_id=tenant_id).select_related("subject").order_by("-pk")
    if external_id := params.text(request, "subject", most=subjects.LONGEST):
        person = selectors.find(tenant_id=tenant_id, external_id=external_id)
        erased = erasure_request_of(person) if person and person.state == Subject.State.ERASED else None
        rows = rows.filter(pk=erased.pk) if erased else rows.filter(subject=person)
    if only := params.text(request, "open", most=5):
        if only not in ("true", "false"):
            raise InvalidParameter("open", "Send true or false.")
        rows = rows.filter(closed_at__isnull=only == "true")
    return rows
