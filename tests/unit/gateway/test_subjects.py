"""Who a request is for: kept for a while, asked for together, enrolled within bounds, never as before a change."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway import subjects
from gateway.errors import RateLimited, Unavailable
from gateway.subject_rows import REFUSED, STRANGER, Known, Newcomer, Person, Wish
from gateway.subjects import Intake, Subjects

ACME, UMBRELLA = 1, 2


class Rows:
    """Stands for the mapping table; `gate` holds its answers back."""

    def __init__(self) -> None:
        self.known: dict[Person, Known] = {}
        self.agreed: set[Wish] = set()
        self.found: list[tuple[Person, ...]] = []
        self.enrolled: list[tuple[Newcomer, ...]] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = False

    async def find(self, people: tuple[Person, ...]) -> dict[Person, Known]:
        self.found.append(people)
        answers = {person: self.known.get(person, STRANGER) for person in people}
        await self._answer()
        return answers

    async def enrol(self, newcomers: tuple[Newcomer, ...]) -> dict[Newcomer, Known]:
        self.enrolled.append(newcomers)
        await self._answer()
        for tenant, lookup, _ in newcomers:
            self.known.setdefault((tenant, lookup), Known(f"of {lookup}", "active"))
        return {each: self.known[each[0], each[1]] for each in newcomers}

    async def allowed(self, wishes: tuple[Wish, ...]) -> dict[Wish, Known]:
        await self._answer()
        known = {wish: self.known.get((wish[0], wish[1])) for wish in wishes}
        return {wish: replace(row, may_process=wish in self.agreed) if row else REFUSED for wish, row in known.items()}

    async def _answer(self) -> None:
        self.called.set()
        await self.gate.wait()
        if self.down:
            raise OSError


def story(
    tell: Callable[[Subjects, Rows], Awaitable[None]], *, new_per_minute: int = 1000, kept_s: float = 60.0
) -> None:
    async def run() -> None:
        rows = Rows()
        people = Subjects(
            find=rows.find, enrol=rows.enrol, allowed=rows.allowed, new_per_minute=new_per_minute, kept_s=kept_s
        )
        await tell(people, rows)

    asyncio.run(run())


async def resolved(people: Subjects, lookup: str, *, tenant: int = ACME, purpose: str = "") -> Known:
    return await people.resolve(tenant, lookup, f"name of {lookup}", purpose=purpose)


def test_it_works() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        assert await resolved(people, "ada") == Known("of ada", "active")
        assert rows.enrolled == [((ACME, "ada", "name of ada"),)]

    story(tell)


def test_whom_it_knows_it_does_not_ask_for() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        for _ in range(3):
            await resolved(people, "ada")
        assert len(rows.found) == 1

    story(tell)


def test_nobody_is_kept_for_long() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        await resolved(people, "ada")
        rows.known[ACME, "ada"] = Known("another", "erased")
        assert await resolved(people, "ada") == Known("another", "erased")

    story(tell, kept_s=0.0)


def test_those_who_come_together_are_asked_for_together() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        names = [f"person-{number}" for number in range(300)]
        known = await asyncio.gather(*(resolved(people, name) for name in names))
        assert [each.surrogate for each in known] == [f"of {name}" for name in names]
        assert [len(call) for call in rows.found] == [256, 44]
        assert sum(map(len, rows.enrolled)) == 300
        assert len(rows.enrolled) <= 3

    story(tell)


def test_the_same_name_is_somebody_else_at_another_tenant() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.known |= {(ACME, "ada"): Known("a", "active"), (UMBRELLA, "ada"): Known("u", "active")}
        assert (await resolved(people, "ada")).surrogate == "a"
        assert (await resolved(people, "ada", tenant=UMBRELLA)).surrogate == "u"

    story(tell)


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "MOST_KEPT", 2)

    async def tell(people: Subjects, rows: Rows) -> None:
        for name in ("ada", "bob", "ada", "eve", "ada", "bob"):
            await resolved(people, name)
        assert [lookup for ((_, lookup),) in rows.found] == ["ada", "bob", "eve", "bob"], "bob was unused the longest"

    story(tell)


# --- when things change ----------------------------------------------------------------------------------------------


def test_a_person_who_changed_is_asked_for_anew() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        await resolved(people, "ada")
        rows.known[ACME, "ada"] = Known("another", "erased")
        people.forget(ACME, "ada")
        assert (await resolved(people, "ada")).surrogate == "another"
        rows.known[ACME, "ada"] = Known("a third", "active")
        people.forget_all()
        assert (await resolved(people, "ada")).surrogate == "a third"

    story(tell)


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.known[ACME, "ada"] = Known("from before", "active")
        rows.gate.clear()
        asking = asyncio.create_task(resolved(people, "ada"))
        await rows.called.wait()
        rows.known[ACME, "ada"] = Known("from after", "erased")
        people.forget(ACME, "ada")
        rows.gate.set()
        assert (await asking).surrogate == "from before"
        assert (await resolved(people, "ada")).surrogate == "from after"

    story(tell)


def test_who_lacks_something_goes_on_at_once_and_has_it_filled_in() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.known[ACME, "ada"] = Known("of ada", "active", is_complete=False)
        assert (await resolved(people, "ada")).surrogate == "of ada"
        await resolved(people, "newcomer")
        filled_in = [each for call in rows.enrolled for each in call]
        assert filled_in == [(ACME, "ada", "name of ada"), (ACME, "newcomer", "name of newcomer")]

    story(tell)


# --- when the database is down ---------------------------------------------------------------------------------------


def test_without_the_database_those_known_go_on_and_the_others_wait() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        await resolved(people, "ada")
        rows.down = True
        assert (await resolved(people, "ada")).surrogate == "of ada", "though it is time to ask again"
        with pytest.raises(Unavailable, match="Retry in a moment"):
            await resolved(people, "bob")
        rows.down = False
        assert (await resolved(people, "bob")).surrogate == "of bob"

    story(tell, kept_s=0.0)


def test_without_the_database_a_person_who_changed_meanwhile_does_not_go_on() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        await resolved(people, "ada")
        rows.called.clear()
        rows.gate.clear()
        rows.down = True
        asking = asyncio.create_task(resolved(people, "ada"))
        await rows.called.wait()
        people.forget(ACME, "ada")
        rows.gate.set()
        with pytest.raises(Unavailable):
            await asking

    story(tell, kept_s=0.0)


def test_a_database_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "ANSWERED_WITHIN_S", 0.01)

    async def tell(people: Subjects, rows: Rows) -> None:
        rows.gate.clear()
        with pytest.raises(Unavailable):
            await resolved(people, "ada")
        rows.gate.set()
        assert (await resolved(people, "ada")).surrogate == "of ada"

    story(tell)


# --- how many may be new ---------------------------------------------------------------------------------------------


def test_beyond_the_limit_nobody_new_is_taken_in_and_those_known_go_on() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        for name in ("ada", "bob"):
            await resolved(people, name)
        with pytest.raises(RateLimited, match="at most 2 a minute") as refused:
            await resolved(people, "eve")
        assert refused.value.wait_ms is not None
        assert 29_000 < refused.value.wait_ms <= 30_001
        assert (ACME, "eve") not in rows.known
        people.forget_all()
        assert (await resolved(people, "ada")).surrogate == "of ada", "known to the table"
        assert (await resolved(people, "eve", tenant=UMBRELLA)).surrogate == "of eve", "the limit is each tenant's own"

    story(tell, new_per_minute=2)


def test_one_person_counts_once_however_many_requests_name_them() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        known = await asyncio.gather(*(resolved(people, "ada") for _ in range(50)))
        assert {each.surrogate for each in known} == {"of ada"}
        assert (await resolved(people, "bob")).surrogate == "of bob"

    story(tell, new_per_minute=2)


def test_who_could_not_be_enrolled_may_come_again() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.gate.clear()
        leaving = asyncio.create_task(resolved(people, "ada"))
        await rows.called.wait()
        leaving.cancel()
        rows.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert (await resolved(people, "ada")).surrogate == "of ada"

    story(tell)


def test_the_minutes_worth_comes_back_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("gateway.subjects.time.monotonic", lambda: now)
    intake = Intake(3)
    for _ in range(3):
        intake.take(ACME)
    for waited_s in (0.0, 19.9):
        now = 1000.0 + waited_s
        with pytest.raises(RateLimited) as refused:
            intake.take(ACME)
        assert refused.value.wait_ms == pytest.approx((20 - waited_s) * 1000, abs=2)
    now = 1020.0
    intake.take(ACME)
    with pytest.raises(RateLimited):
        intake.take(ACME)


# --- consent ---------------------------------------------------------------------------------------------------------


def test_consent_is_asked_for_each_time() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.known[ACME, "ada"] = Known("of ada", "active")
        assert (await resolved(people, "ada", purpose="process")).may_process is False
        rows.agreed.add((ACME, "ada", "process"))
        assert await resolved(people, "ada", purpose="process") == Known("of ada", "active", may_process=True)
        rows.agreed.clear()
        assert (await resolved(people, "ada", purpose="process")).may_process is False

    story(tell)


def test_a_stranger_has_agreed_to_nothing_and_is_not_enrolled() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        assert (await resolved(people, "ada", purpose="process")).may_process is False
        assert rows.enrolled == []

    story(tell)


def test_without_the_database_nobody_is_believed_to_have_agreed() -> None:
    async def tell(people: Subjects, rows: Rows) -> None:
        rows.known[ACME, "ada"] = Known("of ada", "active")
        rows.agreed.add((ACME, "ada", "process"))
        await resolved(people, "ada", purpose="process")
        rows.down = True
        with pytest.raises(Unavailable):
            await resolved(people, "ada", purpose="process")

    story(tell)
