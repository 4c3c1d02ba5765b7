"""The answer to a client that hammers while its rate is used up: nothing of its request is looked at any more."""

from gateway.hammering import Spent
from gateway.http import headers
from gateway.http.answers import JSON, Answer, raw
from gateway.http.base import Front
from gateway.http.problems import problem_of


def answer(spent: Spent, front: Front) -> Answer:
    """The refusal that the request would have got, put on record."""
    error = spent.refusal()
    problem = problem_of(error)
    front.plane.metrics.refused(error.code)
    front.plane.refusals.count(
        spent.principal,
        request_id=front.request_id,
        model="",
        code=error.code,
        status=problem.status,
        logged=False,
    )
    if not spent.head:
        spent.head.extend(raw({**JSON, "openai-processing-ms": "0", **headers.of_standing(spent.standing)}))
    return Answer(problem.status, [*spent.head, *raw(problem.headers)], problem.body)
