"""Moderation models are asked once per text, in batches, within a time, and not while they fail."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.circuit import FAILURES_MOST, REST_S, TRIAL_MOST_S, Circuit
from gateway.errors import UpstreamFailed, UpstreamRejected
from gateway.guards.base import Action, Terms
from gateway.guards.moderation import CHUNK_CHARS, Asking, ModerationFailed, Result, asking, findings
from gateway.moderating import INPUTS_MOST, KEPT_S, MOST_KEPT, Moderating


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Route:
    provider, upstream_model, base_url, name, credential = "p", "m", "http://p/v1", "p/m", "c"


class Snapshots:
    class Table:
        class Model:
            routes = (Route(),)

        models = {"m": Model()}

    async def routes(self) -> Any:
        return self.Table()


class Upstream:
    """Answers every text with its length as a score, or as `fails` says."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fails: Callable[[], Any] | None = None

    async def post(self, url: str, body: bytes, *, headers: Any, route: Any) -> Any:
        assert url == "http://p/v1/moderations"
        inputs = json.loads(body)["input"]
        self.asked.append(inputs)
        if self.fails is not None:
            found = self.fails()
            if asyncio.iscoroutine(found):
                await found
        return Answered(inputs)


class Answered:
    def __init__(self, inputs: list[str]) -> None:
        self._inputs = inputs

    async def read(self) -> bytes:
        scores = [{"flagged": False, "category_scores": {"hate": min(len(text) / 1e6, 1)}} for text in self._inputs]
        return json.dumps({"results": scores}).encode()

    def release(self) -> None:
        pass


ASKED = Asking(model="m", timeout_s=5)


class Desk:
    """What is under test, with what it works with."""

    def __init__(self) -> None:
        self.upstream, self.clock = Upstream(), Clock()
        self.moderating = Moderating(self.upstream, Snapshots(), clock=self.clock)  # type: ignore[arg-type]

    def ask(self, *texts: str, asked: Asking = ASKED, key: bytes = b"acme") -> list[Result]:
        return asyncio.run(self.moderating.ask(texts, asked, key=key))

    def reason(self, *texts: str, asked: Asking = ASKED) -> str:
        with pytest.raises(ModerationFailed) as failed:
            self.ask(*texts, asked=asked)
        return failed.value.reason


def raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def test_each_text_is_asked_about_once() -> None:
    desk = Desk()
    assert [result.scores() for result in desk.ask("a", "bb", "a")] == [{"hate": 1e-6}, {"hate": 2e-6}, {"hate": 1e-6}]
    desk.ask("bb", "ccc")
    assert desk.upstream.asked == [["a", "bb"], ["ccc"]]


def test_what_was_asked_is_forgotten_after_a_while_and_when_there_is_too_much() -> None:
    desk = Desk()
    desk.ask("a")
    desk.clock.now += KEPT_S
    desk.ask("a")
    assert len(desk.upstream.asked) == 2
    desk.ask(*(f"text {number}" for number in range(MOST_KEPT)))
    before = len(desk.upstream.asked)
    desk.ask("a")
    assert len(desk.upstream.asked) == before + 1


def test_one_tenant_learns_nothing_of_anothers() -> None:
    desk = Desk()
    desk.ask("a", key=b"acme")
    desk.ask("a", key=b"umbrella")
    assert desk.upstream.asked == [["a"], ["a"]]


def test_what_is_remembered_is_no_text() -> None:
    desk = Desk()
    desk.ask("ada@example.com")
    assert "ada@" not in repr(desk.moderating._known)


def test_many_texts_are_asked_about_in_batches() -> None:
    desk = Desk()
    assert len(desk.ask(*map(str, range(INPUTS_MOST * 2 + 1)))) == INPUTS_MOST * 2 + 1
    assert [len(batch) for batch in desk.upstream.asked] == [INPUTS_MOST, INPUTS_MOST, 1]


def test_a_long_text_is_asked_about_in_overlapping_pieces() -> None:
    desk = Desk()
    text = "".join(chr(97 + number % 26) * 7 for number in range(10_000))
    (result,) = desk.ask(text)
    (batch,) = desk.upstream.asked
    assert all(len(piece) <= CHUNK_CHARS for piece in batch)
    assert all(any(text[start : start + 200] in piece for piece in batch) for start in range(0, len(text) - 200, 97))
    assert result.scores() == {"hate": CHUNK_CHARS / 1e6}


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        (raising(UpstreamFailed("down")), "unavailable"),
        (raising(UpstreamRejected("no", param=None, upstream_code=None)), "unavailable"),
        (lambda: asyncio.Event().wait(), "timeout"),
    ],
    ids=["failing", "rejecting", "hanging"],
)
def test_a_failure_is_told(fails: Callable[[], Any], reason: str) -> None:
    desk = Desk()
    desk.upstream.fails = fails
    assert desk.reason("a", asked=Asking(model="m", timeout_s=0.01)) == reason
    desk.upstream.fails = None
    assert desk.ask("a"), "and not remembered"


def test_what_nobody_serves_is_unconfigured() -> None:
    assert Desk().reason("a", asked=Asking(model="other")) == "unconfigured"
    assert Desk().reason("a", asked=Asking(model="m", provider="other")) == "unconfigured"
    assert Desk().ask("a", asked=Asking(model="m", provider="p"))


def test_an_upstream_that_keeps_failing_is_left_alone_for_a_while() -> None:
    desk = Desk()
    desk.upstream.fails = raising(UpstreamFailed("down"))
    for _ in range(FAILURES_MOST):
        assert desk.reason("a") == "unavailable"
    assert desk.reason("a") == "open"
    assert len(desk.upstream.asked) == FAILURES_MOST
    desk.upstream.fails = None
    desk.clock.now += REST_S
    assert desk.ask("a")
    assert desk.ask("b")


def test_an_upstream_that_rejects_a_text_is_not_failing() -> None:
    desk = Desk()
    desk.upstream.fails = raising(UpstreamRejected("no", param=None, upstream_code=None))
    for _ in range(2 * FAILURES_MOST):
        assert desk.reason("a") == "unavailable"


# --- the circuit alone -----------------------------------------------------------------------------------------------


def opened() -> tuple[Circuit, Clock]:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_MOST):
        assert circuit.allows()
        circuit.failed()
    return circuit, clock


def test_one_alone_tries_after_the_rest() -> None:
    circuit, clock = opened()
    assert not circuit.allows()
    clock.now += REST_S
    assert [circuit.allows() for _ in range(3)] == [True, False, False]
    circuit.failed()
    assert not circuit.allows()
    clock.now += REST_S
    assert circuit.allows()
    circuit.succeeded()
    assert [circuit.allows() for _ in range(3)] == [True, True, True]


def test_a_trial_that_was_left_lets_the_next_one_try() -> None:
    circuit, clock = opened()
    clock.now += REST_S
    assert circuit.allows()
    circuit.undecided()
    assert circuit.allows()
    clock.now += TRIAL_MOST_S
    assert circuit.allows(), "also where nothing was heard of it"


def test_failures_count_in_a_row() -> None:
    circuit = Circuit(Clock())
    for _ in range(3 * FAILURES_MOST):
        circuit.failed()
        circuit.succeeded()
    assert circuit.allows()


# --- what a result means ---------------------------------------------------------------------------------------------


def rules(result: Result, asked: Asking = ASKED, threshold: float = 0.5) -> list[tuple[str, float]]:
    return [(found.rule, found.score) for found in findings(result, asked, threshold=threshold, place="x")]


def test_scores_count_before_flags() -> None:
    result = Result(flagged=True, categories={"hate": True, "violence": True}, category_scores={"hate": 0.3})
    assert rules(result) == [("violence", 1.0)]
    assert rules(result, threshold=0.2) == [("hate", 0.3), ("violence", 1.0)]
    assert rules(result, Asking(categories=frozenset({"hate"})), 0.2) == [("hate", 0.3)]


def test_a_threshold_of_nothing_finds_nothing_that_is_nothing() -> None:
    assert rules(Result(category_scores={"hate": 0.0}), threshold=0.0) == []


def test_an_upstream_without_categories_has_its_flag() -> None:
    assert rules(Result(flagged=True)) == [("other", 1.0)]
    assert rules(Result()) == []


def test_names_that_records_cannot_carry_are_others() -> None:
    assert rules(Result(category_scores={"<script>" * 20: 0.9})) == [("other", 0.9)]


def test_a_policy_that_says_little_asks_openais_model_about_everything() -> None:
    assert asking(Terms(guard="moderation", action=Action.BLOCK)) == Asking()
