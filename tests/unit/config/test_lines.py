"""Lines of a turn of the event loop are written together, and none is lost, late or torn."""

import asyncio
import threading
from io import BytesIO

from config.logs import Together


class File(BytesIO):
    """Remembers how often it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, data: object) -> int:
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]


def log(lines: Together, *texts: bytes) -> None:
    """As structlog does."""
    for text in texts:
        lines.write(text + b"\n")
        lines.flush()


def test_a_turn_is_written_at_one_go() -> None:
    file = File()
    lines = Together(file)

    async def turns() -> None:
        log(lines, b"one", b"two")
        assert file.getvalue() == b""
        await asyncio.sleep(0)
        assert (file.getvalue(), file.writes) == (b"one\ntwo\n", 1)
        log(lines, b"three")
        await asyncio.sleep(0)
        assert file.getvalue() == b"one\ntwo\nthree\n"

    asyncio.run(turns())


def test_without_a_loop_it_is_written_at_once() -> None:
    file = File()
    log(Together(file), b"one")
    assert file.getvalue() == b"one\n"


def test_what_a_loop_left_is_written_by_the_next_one_who_logs() -> None:
    file = File()
    lines = Together(file)

    async def ends() -> None:
        log(lines, b"last word")
        loop = asyncio.get_running_loop()
        loop.stop()

    loop = asyncio.new_event_loop()
    task = loop.create_task(ends())
    loop.run_forever()
    loop.close()
    assert task.done()

    async def begins() -> None:
        log(lines, b"first word")
        await asyncio.sleep(0)

    asyncio.run(begins())
    assert file.getvalue() == b"last word\nfirst word\n"


def test_threads_lose_nothing() -> None:
    file = File()
    lines = Together(file)
    many = [threading.Thread(target=lambda: log(lines, *[b"line"] * 500)) for _ in range(4)]

    async def beside() -> None:
        for each in many:
            each.start()
        while any(each.is_alive() for each in many):
            log(lines, b"line")
            await asyncio.sleep(0)

    asyncio.run(beside())
    lines.write_out()
    assert set(file.getvalue().splitlines()) == {b"line"}
    assert len(file.getvalue().splitlines()) >= 2_000
