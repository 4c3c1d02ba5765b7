"""The answer to a client that hammers while its rate is used up: nothing of its request is looked at any more."""

from gateway.errors import RateLimited
from gateway.hammering import Form, Spent, over_rate, seconds
from gateway.http import headers
from gateway.http.answers import JSON, Answer, raw
from gateway.http.base import Front
from gateway.http.problems import of_rate, problem_of


def answer(spent: Spent, front: Front) -> Answer:
    """The refusal that the request would have got, put on record."""
    form = spent.form
    if form is None:
        form = spent.form = _form(spent)
    plane = front.plane
    plane.metrics.refused(RateLimited.code)
    plane.refusals.count(
        spent.principal,
        request_id=front.request_id,
        model="",
        code=RateLimited.code,
        status=form.status,
        logged=False,
    )
    wait_ms = spent.wait_ms()
    body = form.before + seconds(wait_ms).encode() + form.after
    return Answer(form.status, form.head + raw(of_rate(wait_ms)), body)


def _form(spent: Spent) -> Form:
    """Made of a refusal without a wait. The last of what may look like one is it: none follows the message's end."""
    problem = problem_of(over_rate(spent.meter, wait_ms=0))
    before, after = problem.body.rsplit(seconds(0).encode(), 1)
    head = raw({**JSON, "openai-processing-ms": "0", **headers.of_standing(spent.standing)})
    return Form(problem.status, head, before, after)
