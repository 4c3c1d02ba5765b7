"""Keys are found wherever they stand in bytes, and nothing else is taken for one."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tokens
from gateway.leaks import finding
from gateway.leaks.finding import Sighting
from gateway.sightings import MOST, Sightings

KEY = tokens.generate("production").text


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(tokens.ENVIRONMENTS))
def test_a_key_is_found_wherever_it_stands(before: bytes, after: bytes, environment: str) -> None:
    text = tokens.generate(environment).text
    assert text in finding.keys_in(before + text.encode() + after)


@given(st.binary(max_size=400))
def test_other_bytes_hold_none(data: bytes) -> None:
    assert finding.keys_in(data) == []


@given(st.lists(st.sampled_from([b"pcl_", b"pcl", b"_", b"l_", b"cl_", b"x", b"ppcl_"]), max_size=30).map(b"".join))
def test_the_cheap_look_sees_each_prefix(data: bytes) -> None:
    assert bool(finding.may_hold_one(data)) is (finding.PREFIX in data)


def test_a_wrong_checksum_is_no_key() -> None:
    wrong = KEY[:-1] + ("A" if KEY[-1] != "A" else "B")
    assert finding.keys_in(wrong.encode()) == []


def test_several_are_found_once_each() -> None:
    other = tokens.generate("dev").text
    assert finding.keys_in(f'{{"a":"{KEY}","b":"{other}","c":"{KEY}"}}'.encode()) == [KEY, other]


def test_bytes_full_of_the_prefix_cost_a_bounded_look() -> None:
    assert finding.keys_in(b"pcl_" * finding.MOST_LOOKS + KEY.encode()) == []


def test_a_sighting_does_not_show_the_key() -> None:
    assert KEY not in repr(Sighting(text=KEY, source="traffic"))


class Notes:
    """Takes sightings, or fails."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.fails = False

    async def __call__(self, seen: Sequence[Sighting]) -> int:
        if self.fails:
            raise OSError
        self.seen.extend(seen)
        return len(seen)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_what_is_seen_is_handed_over_once(notes: Notes) -> None:
    sightings = Sightings(notes)
    for _ in range(3):
        sightings.look(KEY.encode(), place="prompt", request_id="r")
    sightings.look(b"nothing here", place="prompt", request_id="r")
    sightings.look_at_text(f"so: {KEY}", place="answer", request_id="r")
    asyncio.run(sightings.flush())
    asyncio.run(sightings.flush())
    assert [(each.text, each.place) for each in notes.seen] == [(KEY, "prompt"), (KEY, "answer")]


def test_what_cannot_be_noted_waits(notes: Notes) -> None:
    sightings = Sightings(notes)
    sightings.look(KEY.encode(), place="prompt", request_id="r")
    notes.fails = True
    asyncio.run(sightings.flush())
    notes.fails = False
    asyncio.run(sightings.flush())
    assert len(notes.seen) == 1


def test_no_more_wait_than_there_is_room_for(notes: Notes) -> None:
    sightings = Sightings(notes)
    for _ in range(MOST + 5):
        sightings.look(tokens.generate("dev").text.encode(), place="prompt", request_id="r")
    asyncio.run(sightings.flush())
    assert len(notes.seen) == MOST
