"""Standard Webhooks: how messages are signed, and when they are tried again. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from random import Random

PREFIX = "whsec_"
SECRET_BYTES = 32
SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""What is waited after the first, second, … failed attempt: the specification's own example, over three days."""
JITTER = 10
"""Per cent of a wait that are added at random, so that what failed together does not come back together."""
LONGEST_WAIT = timedelta(days=1)
GONE = 410
BUSY = frozenset({429, 502, 503, 504})


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(body: bytes, *, message_id: str, timestamp: int, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of a message; one signature for each of `keys`, the current one first."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(signed, key) for key in keys),
    }


def wait_after(attempts: int, *, random: Random, retry_after_s: int = 0) -> timedelta | None:
    """How long to wait after `attempts` failed ones, at least what the receiver asked for; None: give up."""
    if attempts > len(SCHEDULE):
        return None
    wait = SCHEDULE[attempts - 1]
    jitter = wait * random.randrange(JITTER * 100) / 10_000
    return max(wait + jitter, min(timedelta(seconds=retry_after_s), LONGEST_WAIT))


def _signature(signed: bytes, key: str) -> str:
    digest = hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()
