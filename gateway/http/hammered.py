"""The answer to a client that hammers while its rate is used up: nothing of its request is looked at any more.

It is put together without Django's response, whose headers alone would cost as much as all the rest.
"""

from dataclasses import dataclass

from gateway.hammering import Spent
from gateway.http import headers
from gateway.http.base import Front
from gateway.http.problems import problem_of

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as ASGI wants it."""

    status: int
    headers: list[Header]
    body: bytes


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
        standing = headers.of_standing(spent.standing)
        spent.head.extend(_raw({"content-type": "application/json", "openai-processing-ms": "0", **standing}))
    return Answer(problem.status, [*spent.head, *_raw(problem.headers)], problem.body)


def _raw(texts: dict[str, str]) -> list[Header]:
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in texts.items()]
