"""Where GitHub's secret scanning reports keys that it has found. Believed is what is signed with a pinned key."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compliance.contracts import Actor
from gateway.actions import leaks
from gateway.leaks import github
from gateway.leaks.finding import Sighting
from gateway.leaks.github import Match, NotAReport
from gateway.models import Leak, ScanningKey

REPORTER = "github"


class GithubReports(APIView):
    """Takes a report, ends the keys that it names, and tells which of them were real.

    The same report again changes nothing and is answered alike. What is not signed with a pinned key changes nothing.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()

    @extend_schema(
        operation_id="report_leaks_from_github",
        summary="Report leaked keys (GitHub secret scanning)",
        parameters=[
            OpenApiParameter(github.KEY_IDENTIFIER, str, OpenApiParameter.HEADER, required=True),
            OpenApiParameter(github.SIGNATURE, str, OpenApiParameter.HEADER, required=True),
        ],
        request={"application/json": {"type": "array", "items": {"type": "object"}}},
        responses={
            200: {"type": "array", "items": {"type": "object"}},
            400: {"type": "object"},
            401: {"type": "object"},
            413: {"type": "object"},
        },
    )
    def post(self, request: Request) -> Response:
        by = _reporter(request)
        body = _body(request)
        if body is None:
            return _refused(413, "body_too_large", f"At most {github.MOST_BYTES:,} bytes are read.", by)
        if not _is_signed(body, request):
            return _refused(401, "invalid_signature", "The report is not signed with a key that is pinned here.", by)
        try:
            matches = github.matches_in(body)
        except NotAReport as error:
            return _refused(400, "invalid_report", str(error), by)
        return Response([_answer(match, by=by) for match in matches])


def _body(request: Request) -> bytes | None:
    """The body as it came; None if it is too large."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > github.MOST_BYTES:
        return None
    try:
        body = request._request.body
    except RequestDataTooBig:
        return None
    return body if len(body) <= github.MOST_BYTES else None


def _is_signed(body: bytes, request: Request) -> bool:
    identifier = request.headers.get(github.KEY_IDENTIFIER, "")[:100].replace("\0", "")
    key = ScanningKey.objects.filter(identifier=identifier, active=True).first()
    signature = request.headers.get(github.SIGNATURE, "")
    return key is not None and github.is_signed(body, signature=signature, pem=key.public_key)


def _answer(match: Match, *, by: Actor) -> dict[str, str]:
    seen = Sighting(text=match.token, source=Leak.Source.GITHUB, place=match.source, url=match.url)
    return github.answer_to(match, real=leaks.report(sighting=seen, by=by) is not None)


def _refused(status: int, code: str, text: str, by: Actor) -> Response:
    leaks.refuse_report(reason=code, by=by)
    return Response({"error": {"code": code, "message": text}}, status=status)


def _reporter(request: Any) -> Actor:
    return Actor(
        kind="system",
        id=REPORTER,
        ip=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
        request_id=request.META.get("REQUEST_ID", ""),
    )
