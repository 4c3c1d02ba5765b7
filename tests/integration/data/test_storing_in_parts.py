"""What waits is stored in parts, each in a transaction of its own: what breaks one leaves the others alone.

They are spread over the time in which the next ones gather.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise

import msgspec
import psycopg
import pytest

from compliance.actions import consents
from compliance.models import ContentDecision, Subject, Transcript
from config.asgi import libpq_params
from gateway import storing, transcripts
from gateway.batches import Caller, Cursor
from gateway.content import Content
from gateway.storing import Told
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_notice, a_subject
from tests.integration.data.conversations import STORE, consenting, decided
from tests.integration.data.world import Story, World, there

Interruption = Callable[[int], Awaitable[None]]
FOREVER_S = 3_600.0


@pytest.fixture(autouse=True)
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "SPREAD_S", 0.05)


async def nothing(calls: int) -> None:
    pass


def watched(
    monkeypatch: pytest.MonkeyPatch, *, before: Interruption = nothing, after: Interruption = nothing
) -> list[int]:
    """Of how many requests the database is told in each call. `before` and `after` are called with its number."""
    good, sent = storing.store, list[int]()

    async def store_and_count(cursor: Cursor, told: Told, sealed: bytes) -> list[tuple[str, int]]:
        sent.append(told.columns[0].count(",") + 1)
        await before(len(sent))
        counts = await good(cursor, told, sealed)
        await after(len(sent))
        return counts

    monkeypatch.setattr(storing, "store", store_and_count)
    return sent


def lost_at(number: int) -> Interruption:
    """The connection breaks at the call of that number."""

    async def lose(calls: int) -> None:
        if calls == number:
            raise psycopg.OperationalError

    return lose


async def many(world: World, count: int) -> list[Content]:
    """What as many requests of ada leave."""
    writer, handed = world.plane.transcripts, list[Content]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer, "hand_over", handed.append)
        await world.request(user="ada").run()
    (content,) = handed
    return [msgspec.structs.replace(content, request_id=str(uuid.uuid4())) for _ in range(count)]


async def handed_over(world: World, contents: list[Content]) -> Counter[str]:
    """How many of them were decided about with which reason, '' for those that were stored; in the database."""
    writer = world.plane.transcripts
    for content in contents:
        writer.hand_over(content)
    await decided(world)
    assert (writer._contents, writer.queued_bytes, writer._under_way, writer.lost) == (0, 0, 0, 0)
    ids = [content.request_id for content in contents]
    rows: list[ContentDecision] = await there(list, ContentDecision.objects.filter(request_id__in=ids))
    stored = await there(Transcript.objects.filter(pk__in=ids).count)
    assert stored == sum(row.stored for row in rows)
    return Counter(row.reason for row in rows)


def test_a_batch_is_stored_in_parts(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = watched(monkeypatch)

    async def tell(world: World) -> None:
        await there(consenting, world)
        assert await handed_over(world, await many(world, 150)) == {"": 150}
        assert sent == [64, 64, 22]

    story(tell)


def test_a_large_batch_is_stored_in_four(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = watched(monkeypatch)

    async def tell(world: World) -> None:
        await there(consenting, world)
        assert await handed_over(world, await many(world, 401)) == {"": 401}
        assert sent == [101, 101, 101, 98]

    story(tell)


def test_large_contents_are_stored_in_parts_of_few(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = watched(monkeypatch)

    async def tell(world: World) -> None:
        await there(consenting, world)
        contents = await many(world, 6)
        for content, kilobytes in zip(contents, (600, 200, 200, 200, 1, 600), strict=True):
            content.size = kilobytes * 2**10
        assert await handed_over(world, contents) == {"": 6}
        assert sent == [1, 2, 2, 1]

    story(tell)


@pytest.mark.parametrize(
    "error",
    [psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable],
)
def test_a_database_that_takes_nothing_for_a_moment_is_waited_for(
    story: Story, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    async def refuse(calls: int) -> None:
        if calls <= 2:
            raise error

    sent = watched(monkeypatch, before=refuse)

    async def tell(world: World) -> None:
        await there(consenting, world)
        assert await handed_over(world, await many(world, 3)) == {"": 3}
        assert sent == [3, 3, 3]

    story(tell)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_part_that_a_lost_connection_met_is_sent_again_and_stored_once_and_what_was_done_is_not(
    story: Story, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    sent = watched(monkeypatch, **{when: lost_at(2)})

    async def tell(world: World) -> None:
        await there(consenting, world)
        assert await handed_over(world, await many(world, 150)) == {"": 150}
        assert sent == [64, 64, 22, 64], "what could not be stored goes last"

    story(tell)


def test_content_that_cannot_be_encrypted_does_not_hold_up_its_part(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = watched(monkeypatch)

    async def tell(world: World) -> None:
        await there(consenting, world)
        contents = await many(world, 150)
        contents[70].body = b"no JSON"
        assert await handed_over(world, contents) == {"": 149, "failed": 1}
        assert sent == [64, 64, 22]

    story(tell)


def test_one_content_that_cannot_be_stored_has_only_its_own_part_go_one_by_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_part, alone = 2, 3 + 6  # the calls in which it is told of with its content; the third part waits

    async def refuse(calls: int) -> None:
        if calls in (of_its_part, alone):
            raise psycopg.DataError

    sent = watched(monkeypatch, before=refuse)

    async def tell(world: World) -> None:
        await there(consenting, world)
        assert await handed_over(world, await many(world, 150)) == {"": 149, "failed": 1}
        assert sent == [64, 64, *[1] * 65, 22]

    story(tell)


def test_only_content_of_somebody_who_is_locked_waits_for_that(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others said with them or after them is stored meanwhile."""

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        bob = await there(another_who_consents, world, "bob")
        *contents, later = await many(world, 9)
        for content in (*contents[3:], later):
            content.surrogate = bob.surrogate
        with psycopg.connect(**libpq_params("default")) as elsewhere:
            elsewhere.execute("SELECT FROM compliance_subject WHERE id = %s FOR UPDATE", [ada.pk])
            storing = asyncio.create_task(handed_over(world, contents))
            await stored_of(bob, 5)
            world.plane.transcripts.hand_over(later)
            await stored_of(bob, 6)
            assert not storing.done()
            elsewhere.rollback()
        assert await storing == {"": 8}

    story(tell)


async def stored_of(one: Subject, count: int) -> None:
    """Waits until so much is."""
    while await there(ContentDecision.objects.filter(surrogate=one.surrogate, stored=True).count) < count:
        await asyncio.sleep(0.05)


def another_who_consents(world: World, name: str) -> Subject:
    other = a_subject(world.tenant, name)
    a_consent(other)
    return other


def test_what_has_waited_for_a_lock_for_too_long_gives_way_and_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(calls: int) -> None:
        if calls == 1:
            raise psycopg.errors.LockNotAvailable

    sent = watched(monkeypatch, before=refuse)

    async def tell(world: World) -> None:
        await there(consenting, world)
        contents = await many(world, 150)
        for content in contents[:60]:
            content.handed_at -= FOREVER_S
        assert await handed_over(world, contents) == {"": 90, "unavailable": 60}
        assert sent == [64, 64, 22, 60, 4]

    story(tell)


def test_a_part_that_waited_for_a_lock_goes_in_halves_of_its_people(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the third of five who is locked, at first."""

    async def refuse(calls: int) -> None:
        if calls in (1, 3, 4):
            raise psycopg.errors.LockNotAvailable

    sent = watched(monkeypatch, before=refuse)

    async def tell(world: World) -> None:
        ada = await there(consenting, world)
        others = [await there(another_who_consents, world, f"other-{number}") for number in range(4)]
        contents = await many(world, 20)
        for number, content in enumerate(contents):
            content.surrogate = [*others, ada][number % 5].surrogate
        assert await handed_over(world, contents) == {"": 20}
        assert sent == [20, 8, 12, 4, 8, 4]

    story(tell)


def test_a_server_that_only_can_be_read_is_left_for_another_one(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after another has taken its place: the name may lead to that one by now."""
    connected = list[int]()

    async def tell(world: World) -> None:
        async def refuse(calls: int) -> None:
            connection = world.plane.transcripts._main._connection
            assert connection is not None
            connected.append(connection.info.backend_pid)
            if calls == 1:
                raise psycopg.errors.ReadOnlySqlTransaction

        watched(monkeypatch, before=refuse)
        await there(consenting, world)
        assert await handed_over(world, await many(world, 3)) == {"": 3}
        assert len(set(connected)) == 2

    story(tell)


def test_who_withdraws_between_two_parts_has_the_rest_not_stored(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(world: World) -> None:
        ada = await there(consenting, world)

        async def withdraw(calls: int) -> None:
            if calls == 1:
                await there(consents.withdraw, subject=ada, purpose=STORE, by=THE_SYSTEM)

        watched(monkeypatch, after=withdraw)
        assert await handed_over(world, await many(world, 150)) == {"": 64, "withdrawn": 86}

    story(tell)


def test_who_changes_the_notice_between_two_parts_has_the_rest_not_stored(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(world: World) -> None:
        ada = await there(consenting, world)

        async def change(calls: int) -> None:
            if calls == 1:
                await there(a_notice, ada.tenant, material_change=True)

        watched(monkeypatch, after=change)
        assert await handed_over(world, await many(world, 150)) == {"": 64, "notice_changed": 86}

    story(tell)


def test_what_was_committed_while_it_waited_counts_whatever_the_database_is_set_to(databases: None) -> None:
    """A snapshot from before the wait would not show a withdrawal that was waited for."""
    set_so = {**libpq_params("default"), "options": r"-c default_transaction_isolation=repeatable\ read"}

    async def level(cursor: Cursor) -> str:
        await cursor.execute("SHOW transaction_isolation")
        row = await cursor.fetchone()
        assert row is not None
        return str(row[0])

    async def ask() -> list[str]:
        caller = Caller(set_so, storing.do)
        try:
            return await caller([level])
        finally:
            await caller.disconnect()

    assert asyncio.run(ask()) == ["read committed"]


# --- when ----------------------------------------------------------------------------------------------------------


def test_the_parts_are_spread_over_the_time_in_which_the_next_ones_gather(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "SPREAD_S", 1.0)
    began = list[float]()

    async def note_time(calls: int) -> None:
        began.append(time.perf_counter())

    watched(monkeypatch, before=note_time)

    async def tell(world: World) -> None:
        await there(consenting, world)
        contents = await many(world, 150)
        start = time.perf_counter()
        await handed_over(world, contents)
        assert began[-1] - start >= 1.0
        assert all(later - earlier > 0.05 for earlier, later in pairwise(began))

    story(tell)


def test_they_follow_each_other_once_the_next_batch_is_there(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "SPREAD_S", FOREVER_S)
    monkeypatch.setattr(transcripts, "BATCH_MOST", 150)

    async def tell(world: World) -> None:
        await there(consenting, world)
        contents = await many(world, 300)

        async def hand_over_more(calls: int) -> None:
            if calls == 1:
                for content in contents[150:]:
                    world.plane.transcripts.hand_over(content)

        sent = watched(monkeypatch, after=hand_over_more)
        for content in contents[:150]:
            world.plane.transcripts.hand_over(content)
        while len(sent) < 4:
            await asyncio.sleep(0.01)
        assert sent == [64, 64, 22, 64]
        await decided(world)

    story(tell)


def test_what_waited_while_a_batch_was_stored_does_not_wait_for_as_long_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(world: World) -> None:
        await there(consenting, world)
        first, second = await many(world, 2)
        monkeypatch.setattr(transcripts, "GATHERED_S", FOREVER_S)
        second.handed_at -= FOREVER_S

        async def hand_over_more(calls: int) -> None:
            if calls == 1:
                world.plane.transcripts.hand_over(second)

        sent = watched(monkeypatch, before=hand_over_more)
        await handed_over(world, [first])
        assert sent == [1, 1]

    story(tell)


def test_what_is_being_stored_does_not_count_as_the_next_batch(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or each large content would be a batch of its own."""
    monkeypatch.setattr(transcripts, "SPREAD_S", FOREVER_S)
    was_full = list[bool]()

    async def tell(world: World) -> None:
        await there(consenting, world)
        writer, contents = world.plane.transcripts, await many(world, 4)
        for content in contents:
            content.size = transcripts.BATCH_BYTES // 2

        async def hand_over_more(calls: int) -> None:
            if calls == 1:
                for content in contents[2:]:
                    writer.hand_over(content)
                    was_full.append(writer._full.is_set())

        sent = watched(monkeypatch, before=hand_over_more)
        for content in contents[:2]:
            writer.hand_over(content)
        while len(sent) < 3:
            await asyncio.sleep(0.01)
        assert was_full == [False, True]
        await decided(world)
        assert sent == [1, 1, 1, 1]

    story(tell)
