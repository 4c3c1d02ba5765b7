"""Identifiers of requests: UUID version 7 (RFC 9562), so that they sort by time."""

import os
import time


def new_id() -> str:
    """A fresh one, in its text form."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    number = (milliseconds & (1 << 48) - 1) << 80 | random
    number = number & ~(0xF000 << 64) | 0x7000 << 64  # version
    number = number & ~(0xC000 << 48) | 0x8000 << 48  # variant
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
