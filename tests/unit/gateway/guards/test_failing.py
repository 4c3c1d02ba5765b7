"""A guard that raises, hangs or takes too long lets nothing through unless policy says so, and that is on record."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import pytest
import uvloop
from msgspec import structs

from gateway.guards import budget
from gateway.guards.base import (
    Action,
    Around,
    Direction,
    Finding,
    Guard,
    Guarding,
    Judged,
    OnError,
    Role,
    Rule,
    Terms,
    Text,
)
from gateway.guards.budget import Budget, OutOfTime
from gateway.guards.engine import Engine, Stream, Verdict
from gateway.guards.replacing import replacer

DIGITS = r"[0-9]{4}"


def raising(*_: object) -> float:
    raise RuntimeError("a bug")


def busy(*_: object) -> float:
    while True:
        pass


def waiting(*_: object) -> float:
    threading.Event().wait()
    return 0.0


def stubborn(*_: object) -> float:
    """Catches what it can."""
    while True:
        try:
            busy()
        except Exception:
            continue


def a_finder(check: Callable[[str, Around], float] | None, *, name: str = "bad", pattern: str = DIGITS) -> Guard:
    rule = Rule(guard=name, name="DIGITS", scan=pattern, pattern=pattern, check=check)
    return Guard(name=name, title="", help="", actions=tuple(Action), rules=lambda guarding, terms: [rule])


def a_judge(judge: Callable[[Judged], Sequence[Finding]], *, name: str = "bad") -> Guard:
    return Guard(name=name, title="", help="", actions=tuple(Action), judge=judge)


def an_engine(*guards: Guard, on_error: OnError = OnError.BLOCK, budget_ms: int = 60) -> Engine:
    terms = tuple(Terms(guard=guard.name, action=Action.REDACT, on_error=on_error) for guard in guards)
    return Engine(
        Guarding(policy_id=1, terms=terms, budget_ms=budget_ms), known={guard.name: guard for guard in guards}
    )


def looked(engine: Engine, *texts: str) -> Verdict:
    asked = [Text(text, Role.USER, f"messages[{place}].content") for place, text in enumerate(texts)]
    return engine.look(asked, Direction.PROMPT, replace=replacer(engine.guarding))


def a_stream(engine: Engine) -> Stream:
    return engine.stream(role=Role.ASSISTANT, place="choices[0]", replace=replacer(engine.guarding))


FAILING = {
    "finder raises": (a_finder(raising), "raised"),
    "finder loops": (a_finder(busy), "budget"),
    "finder waits": (a_finder(waiting), "budget"),
    "finder loops and catches": (a_finder(stubborn), "budget"),
    "judge raises": (a_judge(raising), "raised"),  # type: ignore[arg-type]
    "judge loops": (a_judge(busy), "budget"),  # type: ignore[arg-type]
    "judge waits": (a_judge(waiting), "budget"),  # type: ignore[arg-type]
    "judge loops and catches": (a_judge(stubborn), "budget"),  # type: ignore[arg-type]
}
failing = pytest.mark.parametrize(("guard", "error"), FAILING.values(), ids=FAILING.keys())
failing_finder = pytest.mark.parametrize(("guard", "error"), list(FAILING.values())[:4], ids=list(FAILING)[:4])


@failing
def test_blocks(guard: Guard, error: str) -> None:
    verdict = looked(an_engine(guard), "code 1234")
    assert verdict.blocked_by == "bad"
    assert [(each.guard, each.action, each.error) for each in verdict.outcomes] == [("bad", Action.BLOCK, error)]


@failing
def test_lets_through_where_policy_says_so_and_records_it(guard: Guard, error: str) -> None:
    verdict = looked(an_engine(guard, on_error=OnError.ALLOW), "code 1234")
    assert (verdict.blocked_by, verdict.changed) == ("", {})
    assert [(each.guard, each.action, each.error) for each in verdict.outcomes] == [("bad", Action.LOG, error)]


@failing_finder
def test_a_stream_ends_and_gives_nothing_of_what_was_not_looked_at(guard: Guard, error: str) -> None:
    stream = a_stream(an_engine(guard))
    given = stream.feed("a" * 100)
    assert given == "a" * 36
    assert stream.feed(" 1234" + "b" * 100) == ""
    assert stream.feed("more") + stream.finish() == ""
    assert stream.blocked_by == "bad"
    assert [each.error for each in stream.outcomes] == [error]


@failing_finder
def test_a_stream_goes_on_where_policy_says_so(guard: Guard, error: str) -> None:
    stream = a_stream(an_engine(guard, on_error=OnError.ALLOW))
    text = "a" * 100 + " 1234 " + "b" * 100
    assert stream.feed(text) + stream.feed("1234") + stream.finish() == text + "1234"
    assert [each.error for each in stream.outcomes] == [error]


def test_one_that_fails_does_not_keep_others_from_finding() -> None:
    other = a_finder(None, name="good", pattern="secret")
    verdict = looked(an_engine(a_finder(raising), other, on_error=OnError.ALLOW), "secret 1234")
    assert verdict.changed == {"messages[0].content": "[DIGITS] 1234"}


def test_what_is_compiled_first_takes_nothing_of_the_time() -> None:
    compiled: list[bool] = []

    def compile_slowly() -> None:
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass
        compiled.append(True)

    guard = structs.replace(a_finder(None), prepare=compile_slowly)
    engine = an_engine(guard, budget_ms=60)
    assert looked(engine, "code 1234").changed == {"messages[0].content": "code [DIGITS]"}
    assert looked(engine, "code 1234").blocked_by == ""
    assert compiled == [True]


def test_the_texts_of_one_answer_share_its_time() -> None:
    """However many there are, each of which alone would have time enough."""

    def slow(value: str, around: Around) -> float:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return 1.0

    engine = an_engine(a_finder(slow), budget_ms=60)
    budget = engine.budget()
    blocked = []
    for call in range(10):
        stream = engine.stream(
            role=Role.ASSISTANT, place=f"calls[{call}]", replace=replacer(engine.guarding), budget=budget
        )
        stream.feed("code 1234")
        stream.finish()
        blocked.append(stream.blocked_by)
    assert blocked[0] == ""
    assert blocked[-1] == "bad"


def test_those_for_which_no_time_is_left_fail_too() -> None:
    engine = an_engine(a_judge(busy, name="slow"), a_finder(None, name="late"), on_error=OnError.ALLOW)  # type: ignore[arg-type]
    verdict = looked(engine, "1234")
    assert {(each.guard, each.error) for each in verdict.outcomes} == {("slow", "budget"), ("late", "budget")}
    assert verdict.changed == {}


def test_one_that_only_notes_takes_no_time_from_what_protects() -> None:
    slow, good = a_judge(busy, name="slow"), a_finder(None, name="good")  # type: ignore[arg-type]
    noting = Terms(guard="slow", action=Action.FLAG, on_error=OnError.ALLOW)
    guarding = Guarding(policy_id=1, terms=(noting, Terms(guard="good", action=Action.REDACT)), budget_ms=60)
    verdict = looked(Engine(guarding, known={"slow": slow, "good": good}), "code 1234")
    assert (verdict.blocked_by, verdict.changed) == ("", {"messages[0].content": "code [DIGITS]"})
    assert ("slow", Action.LOG, "budget") in {(each.guard, each.action, each.error) for each in verdict.outcomes}


def test_a_finder_that_only_notes_leaves_half_of_the_time_to_others() -> None:
    def slow(value: str, around: Around) -> float:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return 0.0

    slowly, good = a_finder(slow, name="slow"), a_finder(None, name="good", pattern="secret")
    noting = Terms(guard="slow", action=Action.LOG, on_error=OnError.ALLOW)
    guarding = Guarding(policy_id=1, terms=(noting, Terms(guard="good", action=Action.REDACT)), budget_ms=200)
    verdict = looked(Engine(guarding, known={"slow": slowly, "good": good}), *["1234 secret"] * 50)
    assert (verdict.blocked_by, len(verdict.changed)) == ("", 50)
    assert ("slow", Action.LOG, "budget") in {(each.guard, each.action, each.error) for each in verdict.outcomes}


def test_many_texts_share_the_budget() -> None:
    def slow(value: str, around: Around) -> float:
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        return 0.0

    verdict = looked(an_engine(a_finder(slow), budget_ms=30), *["1234"] * 50)
    assert (verdict.blocked_by, verdict.outcomes[-1].error) == ("bad", "budget")


def test_a_replacement_that_fails_leaves_nothing_readable() -> None:
    engine = an_engine(a_finder(None))
    text = Text("code 1234 and more", Role.USER, "m")
    verdict = engine.look([text], Direction.PROMPT, replace=raising)  # type: ignore[arg-type]
    assert (verdict.blocked_by, verdict.changed) == ("bad", {})


def test_outside_the_main_thread_what_is_counted_holds() -> None:
    verdicts: list[Verdict] = []

    def slow(value: str, around: Around) -> float:
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        return 0.0

    engine = an_engine(a_finder(slow), budget_ms=30)
    thread = threading.Thread(target=lambda: verdicts.append(looked(engine, *["1234"] * 50)))
    thread.start()
    thread.join()
    assert [each.blocked_by for each in verdicts] == ["bad"]


def test_somebody_elses_alarm_is_kept() -> None:
    def theirs(number: int, frame: object) -> None: ...

    handler = signal.signal(signal.SIGALRM, theirs)
    was = signal.setitimer(signal.ITIMER_REAL, 100.0)
    try:
        assert Budget(50).within(lambda: 7) == 7
        with pytest.raises(OutOfTime):
            Budget(10).within(busy)
        assert signal.getsignal(signal.SIGALRM) is theirs
        assert 0.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, *was)
        signal.signal(signal.SIGALRM, handler)


def test_no_alarm_rings_when_all_is_done() -> None:
    engine = an_engine(a_finder(None), budget_ms=20)
    assert looked(engine, "1234").changed == {"messages[0].content": "[DIGITS]"}
    until = time.thread_time() + 0.05
    while time.thread_time() < until:  # longer than the budget, outside of it
        pass
    assert looked(engine, "1234").blocked_by == ""


@pytest.mark.timeout(0)  # whose alarm would be the one that is kept
def test_a_timer_that_has_stopped_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def goes() -> bool:
        return signal.getitimer(signal.ITIMER_REAL)[1] > 0.0

    def busy_for_a_while() -> None:
        """Ends by itself, should no alarm ring."""
        until = time.monotonic() + 2
        while time.monotonic() < until:
            pass

    monkeypatch.setattr(budget, "_IDLE_MOST", 2)
    Budget(50).within(int)
    assert goes()
    until = time.monotonic() + 5
    while goes() and time.monotonic() < until:
        pass
    assert not goes()
    with pytest.raises(OutOfTime):
        Budget(20).within(busy_for_a_while)


def test_pieces_of_a_stream_have_some_time_each() -> None:
    def works() -> None:
        until = time.thread_time() + 0.004
        while time.thread_time() < until:
            pass

    def many_times(budget: Budget, *, free_ns: int) -> None:
        for _ in range(40):
            budget.within(works, free_ns=free_ns)

    many_times(Budget(60), free_ns=50_000_000)
    with pytest.raises(OutOfTime):
        many_times(Budget(60), free_ns=0)


def test_a_process_that_ends_while_the_timer_goes_ends_well() -> None:
    done = "from gateway.guards.budget import Budget; Budget(50).within(int); sum(range(10**6))"
    assert subprocess.run([sys.executable, "-c", done]).returncode == 0


def test_alarms_ring_in_the_event_loop_of_the_server() -> None:
    async def serve() -> Verdict:
        return looked(an_engine(a_finder(busy)), "1234")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(serve()).outcomes[0].error == "budget"
        assert runner.run(serve()).outcomes[0].error == "budget"
