"""The count of wrong keys by network: its rate, and that it stays small."""

import pytest

from gateway import failed_keys
from gateway.failed_keys import FailedKeys, network_of

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(failed_keys, "time", clock)
    return clock


def exhausted(per_minute: int) -> FailedKeys:
    keys = FailedKeys(per_minute)
    for _ in range(per_minute):
        assert keys.wait_ms(HERE) == 0
        keys.count(HERE)
    return keys


def test_a_minutes_worth_may_come_at_once_and_then_one_at_a_time(clock: Clock) -> None:
    keys = exhausted(60)
    assert keys.wait_ms(HERE) in (1000, 1001)
    clock.now += 1.01
    assert keys.wait_ms(HERE) == 0
    keys.count(HERE)
    assert keys.wait_ms(HERE) > 900
    clock.now += 61
    for _ in range(60):
        assert keys.wait_ms(HERE) == 0
        keys.count(HERE)


def test_networks_do_not_share(clock: Clock) -> None:
    assert exhausted(3).wait_ms(ELSEWHERE) == 0


def test_those_that_were_under_way_together_make_nobody_wait_longer(clock: Clock) -> None:
    keys = exhausted(3)
    before = keys.wait_ms(HERE)
    for _ in range(50):
        keys.count(HERE)
    assert keys.wait_ms(HERE) == before


def test_it_remembers_no_more_than_it_may(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_keys, "MOST_NETWORKS", 2)
    keys = exhausted(1)
    for address in (ELSEWHERE, "192.0.2.3"):
        keys.count(address)
    assert [keys.wait_ms(address) > 0 for address in (HERE, ELSEWHERE, "192.0.2.3")] == [False, True, True]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
    ],
    ids=["IPv4", "IPv4 in IPv6", "IPv6", "none"],
)
def test_what_counts_together(address: str, network: str) -> None:
    assert network_of(address) == network
