"""The control plane reads no more of a body, and for no longer, than it is told."""

import asyncio
from collections.abc import Iterator
from typing import Any

from config.limits import GONE, LimitedBody, Message


def body(*pieces: bytes) -> Iterator[Message]:
    for piece in pieces[:-1]:
        yield {"type": "http.request", "body": piece, "more_body": True}
    yield {"type": "http.request", "body": pieces[-1], "more_body": False}


def received(messages: Iterator[Message], count: int, **limits: Any) -> list[Message]:
    async def receive() -> Message:
        try:
            return next(messages)
        except StopIteration:
            await asyncio.Event().wait()
            raise

    async def run() -> list[Message]:
        bounded = LimitedBody(receive, **limits)
        return [await bounded() for _ in range(count)]

    return asyncio.run(run())


def test_it_works() -> None:
    messages = list(body(b"abc", b"def"))
    assert received(iter(messages), 2, most_bytes=6, within_s=5) == messages


def test_a_body_that_is_too_large_ends() -> None:
    assert received(body(b"abc", b"defg", b"h"), 2, most_bytes=6, within_s=5)[1] is GONE


def test_a_body_that_does_not_come_ends() -> None:
    unfinished = iter([{"type": "http.request", "body": b"a", "more_body": True}])
    assert received(unfinished, 2, most_bytes=6, within_s=0.05)[1] is GONE
