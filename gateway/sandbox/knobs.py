"""What a request may ask of the sandbox, in the extra body field `sandbox`.

Where knobs overlap, a tool call goes before `text`, `text` before `chars`, and `chars` before `tokens`.
"""

from typing import Annotated

import msgspec

Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=3_600_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=5_000_000)]


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every knob, with the behaviour of a well-behaved upstream as its default."""

    # Time before the first byte of any answer, errors included; and between the chunks of a stream.
    latency_ms: Milliseconds = 0
    chunk_ms: Milliseconds = 0

    # The answer. One chunk carries one token unless `chunks` says how many there shall be.
    tokens: Count | None = None
    chunks: Annotated[int, msgspec.Meta(ge=1, le=5_000_000)] | None = None
    text: str | None = None
    again: str | None = None  # in place of `text` where the assistant has answered before
    chars: Annotated[int, msgspec.Meta(ge=1, le=20_000_000)] | None = None
    tool_call: bool = False

    # Usage: reported as asked for, even where it makes no sense (more cached tokens than prompt tokens).
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0
    no_usage: bool = False
    service_tier: str = "default"  # the one that it was served in, as the answer says

    # Faults. A whole answer that is cut after chunks stops in the middle of its body.
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    retry_after_s: Count | None = None
    hang: bool = False
    cut: bool = False
    cut_after_chunks: Count | None = None
    error_after_chunks: Count | None = None
    malformed: bool = False

    def chunks_before_fault(self) -> int | None:
        """Return how many chunks a stream sends before it fails, or None when it does not."""
        if self.malformed:
            return 1
        return self.cut_after_chunks if self.cut_after_chunks is not None else self.error_after_chunks
