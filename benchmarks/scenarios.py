"""What is measured: how many clients do what at once."""

import json
from dataclasses import dataclass, replace

FAST, PACED = "sandbox-small", "sandbox-large"
"""Models, each with an upstream of its own: one answers at once, one at the pace that a request asks for."""

MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly and name your sources."},
    {"role": "user", "content": "What is the difference between a lease and a lock, and when would I want each?"},
]
CHUNKS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`unit` is what rates and processor time are counted by. `spread_s`: over how long the clients' starts lie.

    `guarded`: with the guards that look where no policy says otherwise; else with none.
    """

    name: str
    title: str
    unit: str
    model: str
    connections: int
    fields: dict[str, object]
    spread_s: float = 0
    every_s: float = 0
    quick: bool = True
    guarded: bool = False

    @property
    def streamed(self) -> bool:
        return bool(self.fields.get("stream"))

    def body(self) -> str:
        return json.dumps({"model": self.model, "messages": MESSAGES, "max_tokens": 64, **self.fields})


def _whole(connections: int, *, quick: bool) -> Scenario:
    return Scenario(
        name=f"whole-{connections}",
        title=f"whole answers, {connections} at once",
        unit="request",
        model=FAST,
        connections=connections,
        fields={},
        quick=quick,
    )


def streams(
    name: str, title: str, *, model: str, connections: int, chunk_ms: int = 0, chunks: int = CHUNKS
) -> Scenario:
    """Streams of so many chunks, at that pace or, without one, all chunks at once."""
    knobs = {"sandbox": {"tokens": chunks, "chunk_ms": chunk_ms}} if chunk_ms else {}
    return Scenario(
        name=name,
        title=title,
        unit="chunk",
        model=model,
        connections=connections,
        # Usage is asked for, as the gateway does in any case, so that both servers get the same bytes.
        fields={"stream": True, "stream_options": {"include_usage": True}, **knobs},
        spread_s=chunks * chunk_ms / 1000,
    )


WHOLE = _whole(32, quick=True)
PACE_MS = 40
STREAMS = streams("streams", f"200 streams, a chunk each {PACE_MS} ms", model=PACED, connections=200, chunk_ms=PACE_MS)
AT_ONCE = streams("streams-at-once", "200 streams, chunks at once", model=FAST, connections=200)
GUARDED = replace(WHOLE, name="guarded-32", title="whole answers, 32 at once, guarded", guarded=True)
ALL = (WHOLE, GUARDED, _whole(1, quick=False), _whole(128, quick=False), STREAMS, AT_ONCE)

OPEN_STREAMS = streams("open-streams", "300 open streams", model=PACED, connections=300, chunk_ms=100, chunks=600)
