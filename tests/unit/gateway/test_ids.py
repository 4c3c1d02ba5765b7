"""Request ids."""

import time
import uuid

from gateway.ids import new_id


def test_it_is_a_version_7_uuid_of_now() -> None:
    before = time.time_ns() // 1_000_000
    parsed = uuid.UUID(new_id())
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= time.time_ns() // 1_000_000


def test_two_are_never_alike() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000
