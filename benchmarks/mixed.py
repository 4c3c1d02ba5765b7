"""Makes mixed load: whole answers, streams, and streams that their clients leave, at a rate that waits for nobody.

Steered over its standard streams: it reads a plan as one line of JSON, and writes what became of it as another.
"""

import asyncio
import random
import sys
from collections import Counter

import aiohttp
import msgspec
import uvloop

from benchmarks.scenarios import MESSAGES, PACED

WHOLE, STREAM, LEFT = "whole", "stream", "left"
SHARES = {WHOLE: 60, STREAM: 30, LEFT: 10}
KNOBS = {
    WHOLE: {"tokens": 60, "latency_ms": 300},
    STREAM: {"tokens": 40, "chunk_ms": 40},
    LEFT: {"tokens": 40, "chunk_ms": 40},
}
END_USERS = 200


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`ports` are those of the gateways, which take turns."""

    ports: tuple[int, ...]
    authorization: str
    per_second: float
    seconds: float


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each kind were sent, and what went wrong, by what it was."""

    kinds: dict[str, int]
    failures: dict[str, int]


async def _main(plan: Plan) -> Sent:
    kinds: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    dice = random.Random(2026)
    headers = {"Authorization": f"Bearer {plan.authorization}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session, asyncio.TaskGroup() as group:
        began = loop.time()
        for number in range(int(plan.per_second * plan.seconds)):
            await asyncio.sleep(began + number / plan.per_second - loop.time())
            (kind,) = dice.choices(list(SHARES), list(SHARES.values()))
            kinds[kind] += 1
            url = f"http://127.0.0.1:{plan.ports[number % len(plan.ports)]}/v1/chat/completions"
            group.create_task(_one(session, url, _body(kind, user=dice.randrange(END_USERS)), kind, failures))
    return Sent(kinds=kinds, failures=failures)


def _body(kind: str, *, user: int) -> dict[str, object]:
    knobs = KNOBS[kind]
    fields = {"max_tokens": 64, "user": f"user-{user}", "stream": kind != WHOLE, "sandbox": knobs}
    return {"model": PACED, "messages": MESSAGES, **fields}


async def _one(
    session: aiohttp.ClientSession, url: str, body: dict[str, object], kind: str, failures: Counter[str]
) -> None:
    try:
        async with session.post(url, json=body) as answer:
            if kind == LEFT:
                await answer.content.readany()
                answer.close()
                return
            text = await answer.text()
            if answer.status != 200 or (kind == STREAM and not text.endswith("data: [DONE]\n\n")):
                failures[f"{answer.status}: {text[-200:]}"] += 1
    except (aiohttp.ClientError, OSError) as error:
        failures[repr(error)] += 1


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(_main(plan))).decode(), flush=True)


if __name__ == "__main__":
    main()
