"""The answer to a client that hammers while its rate is used up: nothing of its request is looked at any more."""

from django.http import HttpResponse

from gateway.hammering import Spent
from gateway.http import headers
from gateway.http.base import Front, refused


def answer(spent: Spent, front: Front) -> HttpResponse:
    """The refusal that the request would have got, put on record."""
    error = spent.refusal()
    plane = front.plane
    plane.metrics.refused(error.code)
    plane.refusals.count(
        spent.principal,
        request_id=front.request_id,
        model="",
        code=error.code,
        status=plane.status_of(error),
        logged=False,
    )
    return refused(error, {"openai-processing-ms": "0", **headers.of_standing(spent.meters, spent.standing)})
