"""When secrets were used is noted in memory and written together; what cannot be written is tried again."""

import asyncio
from collections.abc import Mapping

import pytest

from accounts.uses import Uses
from gateway.using import UseWriter


def a_writer(uses: Uses, kept: list[dict[str, float]], *, fails: bool = False) -> UseWriter:
    async def keep(times: Mapping[str, float]) -> int:
        if fails:
            uses.note("later")
            raise ConnectionError
        kept.append(dict(times))
        return len(times)

    return UseWriter(uses, keep)


def test_the_last_time_of_each_is_written_once() -> None:
    uses, kept = Uses(), list[dict[str, float]]()
    for public_id in ("first", "second", "first"):
        uses.note(public_id)
    asyncio.run(a_writer(uses, kept).flush())
    asyncio.run(a_writer(uses, kept).flush())
    assert [set(times) for times in kept] == [{"first", "second"}]
    assert kept[0]["first"] >= kept[0]["second"]


def test_what_could_not_be_written_is_kept_with_what_came_meanwhile() -> None:
    uses, kept = Uses(), list[dict[str, float]]()
    uses.note("first")
    with pytest.raises(ConnectionError):
        asyncio.run(a_writer(uses, kept, fails=True).flush())
    asyncio.run(a_writer(uses, kept).flush())
    assert [set(times) for times in kept] == [{"first", "later"}]


def test_a_later_time_is_not_put_back_by_an_earlier_one() -> None:
    uses = Uses()
    uses.note("first")
    taken = uses.take()
    uses.note("first")
    uses.give_back({"first": taken["first"] - 100})
    assert uses.take()["first"] >= taken["first"]


def test_where_each_is_written_at_once_it_is_not_written_each_time() -> None:
    uses = Uses()
    assert uses.is_news("first", after_s=10)
    assert not uses.is_news("first", after_s=10)
    assert uses.is_news("second", after_s=10)
    assert uses.is_news("first", after_s=0)
