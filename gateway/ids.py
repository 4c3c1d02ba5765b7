"""Identifiers of requests: UUID version 7 (RFC 9562), so that they sort by time."""

import time
from random import getrandbits  # seeded anew in each process; unique, and nothing that has to be secret


def new_id() -> str:
    """A fresh one, in its text form."""
    milliseconds = time.time_ns() // 1_000_000
    first, second = getrandbits(12), getrandbits(62)
    tail = f"{second | 1 << 63:016x}"  # the variant, in its two highest bits, is 10
    head = f"{milliseconds:012x}"
    return f"{head[:8]}-{head[8:]}-7{first:03x}-{tail[:4]}-{tail[4:]}"
