"""The people whom a tenant's applications have named."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import selectors
from compliance.actions import subjects
from compliance.api import params, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from compliance.models import Subject


class Subjects(ApplicationView):
    """Who is known, by surrogates."""

    scope = "subjects"

    @extend_schema(
        **shapes.described(
            "listSubjects",
            "subjects",
            shapes.SubjectPage,
            refusals=shapes.NONSENSE,
            parameters=[
                shapes.parameter("subject", "One person, as your requests name them."),
                shapes.parameter("state", "Only those in it.", enum=[str(state) for state in Subject.State]),
                shapes.parameter("before", "The `next` of the page before."),
                shapes.parameter("limit", f"1 to {params.MOST}.", int, default=params.DEFAULT),
            ],
            description="The tenant's people, those enrolled last first. Who they are only your application knows.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("subject", "state", "before", "limit"))
        tenant_id, limit = caller_of(request).tenant_id, params.limit(request)
        found = selectors.subjects_of(
            tenant_id=tenant_id, state=_state(request), before=params.text(request, "before", most=27)
        )
        if external_id := params.text(request, "subject", most=subjects.LONGEST):
            person = subjects.find(tenant_id=tenant_id, external_id=external_id)
            found = found.filter(pk=person.pk) if person else found.none()
        page = list(found[: limit + 1])
        last = page[limit - 1].surrogate if len(page) > limit else None
        return Response({"subjects": shapes.SubjectOut(page[:limit], many=True).data, "next": last})


def _state(request: Request) -> str:
    state = params.text(request, "state", most=16)
    if state and state not in list(Subject.State):
        raise InvalidParameter("state", f"Send one of {', '.join(Subject.State)}.")
    return state
