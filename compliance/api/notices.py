"""What applications show to people before these decide."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import selectors
from compliance.api import params, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter

TAG = "consents"


class Notices(ApplicationView):
    """What to show now."""

    scope = "consents"

    @extend_schema(
        **shapes.described(
            "listNotices",
            TAG,
            shapes.NoticesOut,
            refusals=shapes.NONSENSE,
            parameters=[
                shapes.parameter("purpose", "What people are asked about.", required=True),
                shapes.parameter("language", "As in BCP 47; `de` also serves `de-CH`. Else all that there are."),
            ],
            description="The newest published version of the notice about one purpose: show it, and send its version.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("purpose", "language"))
        purpose, language = params.text(request, "purpose", most=50), params.text(request, "language", most=35)
        if not purpose:
            raise InvalidParameter("purpose", "Send purpose, to say what people are asked about.")
        found = selectors.notices_to_show(
            tenant_id=caller_of(request).tenant_id, purpose=purpose, language=language or None
        )
        return Response({"notices": [shapes.notice(notice) for notice in found]})


class Notice(ApplicationView):
    """What was shown once."""

    scope = "consents"

    @extend_schema(
        **shapes.described(
            "readNotice",
            TAG,
            shapes.NoticeOut,
            refusals=shapes.NOT_FOUND,
            description="The notice whose text has this SHA-256, as a receipt names it.",
        )
    )
    def get(self, request: Request, sha256: str) -> Response:
        notice = selectors.notice_by_hash(tenant_id=caller_of(request).tenant_id, sha256=sha256)
        if notice is None:
            raise NotFound("There is no published notice whose text has this hash.")
        return Response(shapes.notice(notice))
