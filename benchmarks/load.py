"""Makes load: a process of its own that keeps a number of connections busy and tells how long the answers took.

Steered over its standard streams: it warms up, writes `ready`, waits for a line, measures, and writes the result as
one line of JSON. One answer of another status than expected, or not complete, ends it with a message.
"""

import asyncio
import random
import re
import sys
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from functools import partial
from itertools import accumulate
from typing import cast

import msgspec
import uvloop

PATIENCE_S = 60
"""How much longer than planned everything may take before it counts as stuck."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_EVENT = b"data: "
_DONE = b"data: [DONE]\n\n"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and for how long it is used."""

    authorization: str
    seconds: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, where, from how many connections and for how long. Requests take turns with `further` bodies.

    `status` and `expected` are what a good answer has: bytes of a whole one, events of a streamed one. Streams begin
    spread over `spread_s`, so that their chunks do not come all at once. With `every_s` a connection sends at that pace
    on average and at times of its own, as clients do that know nothing of each other: a Poisson process, another with
    each `seed`. (At a constant pace, those that were late together once come together from then on.) With `hold` there
    is no measurement: `ready` means that every stream has begun, and the next line ends them all.

    `turns` follow each other again and again; what is sent in each is sent with its key, and counted for it.
    """

    port: int
    path: str
    authorization: str
    body: str
    streamed: bool
    expected: int
    status: int = 200
    connections: int
    further: tuple[str, ...] = ()
    seconds: float = 0
    spread_s: float = 0
    every_s: float = 0
    seed: int = 0
    hold: bool = False
    turns: tuple[Turn, ...] = ()

    def requests(self) -> list[list[bytes]]:
        """Those of each turn."""
        bodies = [body.encode() for body in (self.body, *self.further)]
        keys = [turn.authorization for turn in self.turns] or [self.authorization]
        return [[self._request(key, body) for body in bodies] for key in keys]

    def _request(self, key: str, body: bytes) -> bytes:
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
            f"authorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of a turn, all times together."""

    requests: int
    p99_ms: float


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. `first` is the time to the first event of a stream; `turns` are those of the plan."""

    requests: int
    events: int
    seconds: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float
    first_p99_ms: float
    turns: list[Counted]


class Failed(Exception):
    """An answer was not what it should be."""


class _Run:
    """What the connections of a process share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = plan.requests()
        self.good = f"HTTP/1.1 {plan.status} ".encode()
        self.began = self.until = 0.0
        self._ends_s = list(accumulate([turn.seconds for turn in plan.turns]))
        self._cycle_s = self._ends_s[-1] if self._ends_s else 0.0
        self.begun = 0
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.clear()

    def clear(self) -> None:
        self.totals_s = array("d")
        self.firsts_s = array("d")
        self.turns_s = [array("d") for _ in self.requests]
        self.events = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._busy = self.plan.connections

    def turn(self, now: float) -> int:
        """Which one it is then."""
        into_it = (now - self.began) % self._cycle_s if self._cycle_s else 0.0
        return bisect_right(self._ends_s, into_it) if into_it < self._cycle_s else 0

    def answered(self, began: float, seconds: float) -> None:
        self.totals_s.append(seconds)
        self.turns_s[self.turn(began)].append(seconds)

    def fail(self, message: str) -> None:
        if not self.failure.done():
            self.failure.set_exception(Failed(message))

    def rest(self) -> None:
        """A connection has no more to do."""
        self._busy -= 1
        if self._busy == 0:
            self.ended.set_result(None)

    async def first(self, what: "asyncio.Future[None]") -> None:
        """Waits for `what`, or raises the failure that comes before."""
        limit_s = self.plan.seconds + PATIENCE_S
        done, _ = await asyncio.wait({what, self.failure}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Failed(f"{self._busy} of {self.plan.connections} connections still wait after {limit_s:.0f} s")
        if self.failure.done():
            self.failure.result()


class _Connection(asyncio.Protocol):
    """One client that sends its next request when it has read the last answer."""

    def __init__(self, run: _Run, number: int) -> None:
        self._run = run
        self._plan = run.plan
        self._next = number
        self._got = bytearray()
        self._first_s = 0.0
        self._due = 0.0
        self._chance = random.Random(f"{run.plan.seed} {number}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def send(self) -> None:
        self._got.clear()
        self._first_s = 0.0
        self._began = time.perf_counter()
        requests = self._run.requests[self._run.turn(self._began)]
        self._transport.write(requests[self._next % len(requests)])
        self._next += self._plan.connections

    def data_received(self, data: bytes) -> None:
        got = self._got
        if not got and not data.startswith(self._run.good):
            self._run.fail(f"answered {data[:2000].decode(errors='replace')}")
            return
        got += data
        if self._plan.streamed:
            self._stream_received(data)
        elif _is_whole(got):
            length = len(got) - got.index(_HEAD_END) - len(_HEAD_END)
            self._answered(found=length, events=1)

    def connection_lost(self, error: Exception | None) -> None:
        self._run.fail(f"a connection was lost: {error or 'closed by the server'}")

    def _stream_received(self, data: bytes) -> None:
        if not self._first_s and _EVENT in data:
            self._first_s = time.perf_counter() - self._began
            self._run.begun += 1
            if self._plan.hold and self._run.begun == self._plan.connections:
                self._run.ended.set_result(None)
        if self._got.endswith(_LAST_CHUNK):
            body = _unchunked(self._got)
            events = body.count(_EVENT) if body.endswith(_DONE) else 0
            self._run.firsts_s.append(self._first_s)
            self._answered(found=events, events=events)

    def _answered(self, *, found: int, events: int) -> None:
        run = self._run
        now = time.perf_counter()
        if found != self._plan.expected:
            run.fail(f"an answer of size {found} where {self._plan.expected} was expected: {bytes(self._got[-500:])!r}")
            return
        run.answered(self._began, now - self._began)
        run.events += events
        if self._plan.every_s:
            self._due = max(self._due, run.began) + self._chance.expovariate(1 / self._plan.every_s)
        if max(self._due, now) >= run.until:
            run.rest()
        elif self._due > now:
            asyncio.get_running_loop().call_later(self._due - now, self.send)
        else:
            self.send()


def _is_whole(got: bytearray) -> bool:
    end = got.find(_HEAD_END)
    length = _LENGTH.search(got, 0, end) if end > 0 else None
    return length is not None and len(got) - end - len(_HEAD_END) >= int(length[1])


def _unchunked(got: bytearray) -> bytes:
    """The body out of chunked transfer encoding."""
    at = got.index(_HEAD_END) + len(_HEAD_END)
    pieces: list[bytearray] = []
    while True:
        end = got.index(b"\r\n", at)
        size = int(got[at:end], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(got[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


async def _main(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    run = _Run(plan)
    loop.set_exception_handler(lambda _, context: run.fail(repr(context.get("exception") or context["message"])))
    made = [
        loop.create_connection(partial(_Connection, run, number), "127.0.0.1", plan.port)
        for number in range(plan.connections)
    ]
    connections = [connection for _, connection in await asyncio.gather(*made)]
    for connection in connections:
        connection.send()
    await run.first(run.ended)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    if not plan.hold:
        print(msgspec.json.encode(await _measured(run, connections)).decode(), flush=True)


async def _measured(run: _Run, connections: list[_Connection]) -> Tally:
    loop = asyncio.get_running_loop()
    run.clear()
    run.began = began = time.perf_counter()
    run.until = began + run.plan.seconds
    for number, connection in enumerate(connections):
        loop.call_later(run.plan.spread_s * number / len(connections), connection.send)
    await run.first(run.ended)
    seconds = time.perf_counter() - began
    return Tally(
        requests=len(run.totals_s),
        events=run.events,
        seconds=seconds,
        p50_ms=_quantile_ms(run.totals_s, 0.50),
        p99_ms=_quantile_ms(run.totals_s, 0.99),
        first_p50_ms=_quantile_ms(run.firsts_s, 0.50),
        first_p99_ms=_quantile_ms(run.firsts_s, 0.99),
        turns=[Counted(requests=len(turn_s), p99_ms=_quantile_ms(turn_s, 0.99)) for turn_s in run.turns_s],
    )


def _quantile_ms(seconds: Iterable[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[int(share * (len(ordered) - 1))] * 1000 if ordered else 0.0


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(plan))
    except (Failed, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
