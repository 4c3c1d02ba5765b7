"""`python -m benchmarks.refusals`: what a client costs that hammers while its request rate is used up."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine, processes
from benchmarks.scenarios import WHOLE
from benchmarks.scratch import scratch

CONNECTIONS = 8
ROUNDS = 5
ROUND_S = 3.0
MOST_US = 150
"""Of processor time per refusal."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured; `cpu_us` is the gateway's processor time per refusal."""

    rate: float
    cpu_us: float


class WrongAnswer(Exception):
    """Something other than a refusal, or one without what a client needs."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.refusals", description="Measures what a client that hammers costs."
    )
    parser.add_argument("--strict", action="store_true", help="fail when a refusal costs too much on this machine")
    strict = parser.parse_args().strict
    try:
        with scratch() as var_dir:
            rounds = _measured(var_dir)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    cpu_us, rate = median(one.cpu_us for one in rounds), median(one.rate for one in rounds)
    print(f"{rate:,.0f} refusals/s; {cpu_us:.0f} µs of processor time each, at most {MOST_US} on a quiet machine")
    sys.exit(strict and cpu_us > MOST_US)


def _measured(var_dir: Path) -> Sequence[Round]:
    from benchmarks import installation  # now: settings are read at import

    with installation.running(var_dir, step=_step) as all_of_it:
        request = _request(all_of_it.gateway.port, _spent_key())
        _step(f"Hammering: {ROUNDS} rounds, load average {machine.describe()['busy'].split()[2]}")
        return [asyncio.run(_round(all_of_it.gateway.port, all_of_it.gateway.pid, request)) for _ in range(ROUNDS)]


def _spent_key() -> str:
    """A key that has one request a minute."""
    from tests import factories

    tenant = factories.a_tenant("umbrella", tier=factories.a_tier(requests_per_minute=1))
    return factories.a_key(tenant=tenant)[1]


def _request(port: int, key: str) -> bytes:
    body = WHOLE.body().encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _round(port: int, pid: int, request: bytes) -> Round:
    """All connections hammer at once; each of them is kept, or the round fails."""
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(_ask(*client, request) for client in clients))  # the first one may be answered
    began, before = time.perf_counter(), processes.cpu_s(pid)
    counts = await asyncio.gather(*(_hammer(*client, request, until=began + ROUND_S) for client in clients))
    took, used = time.perf_counter() - began, processes.cpu_s(pid) - before
    for _, writer in clients:
        writer.close()
    return Round(rate=sum(counts) / took, cpu_us=used * 1e6 / sum(counts))


async def _hammer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, *, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        status, head, body = await _ask(reader, writer, request)
        if status != 429 or "retry-after:" not in head or json.loads(body)["error"]["code"] != "rate_limit_exceeded":
            raise WrongAnswer(f"{head}{body.decode(errors='replace')}")
        count += 1
    return count


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, str, bytes]:
    """Status, head and body of an answer."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return int(head.split()[1]), head, await reader.readexactly(length)


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
