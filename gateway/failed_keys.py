"""How many wrong keys each client network may send: beyond that, made-up ones cost no look-up each (`known_ids.py`).

Counted per process, in bounded memory, by GCRA as all rates are: `per_minute` at once, then one each
60 / `per_minute` seconds. Right keys pass whatever their network does, so the others behind the same address go on.
"""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Interface

from config.addresses import parse

MOST_NETWORKS = 10_000


class FailedKeys:
    """Counts failed authentications by client network. With `per_minute` 0 no network is ever exhausted."""

    def __init__(self, per_minute: int) -> None:
        self._interval_s = 60 / per_minute if per_minute else 0.0
        self._burst_s = 60.0 - self._interval_s
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when a network has all of its tries again

    def count(self, address: str) -> None:
        """A key from `address` was wrong.

        Requests that were under way together all see the count from before: what they look up is bounded by the
        requests at once.
        """
        if not self._interval_s:
            return
        network, now = network_of(address), time.monotonic()
        full_at = max(self._full_at.pop(network, now), now) + self._interval_s
        self._full_at[network] = min(full_at, now + 60.0)
        if len(self._full_at) > MOST_NETWORKS:
            self._full_at.popitem(last=False)

    def wait_ms(self, address: str) -> int:
        """After how long a made-up key from `address` would be looked up by itself; 0: at once."""
        if not self._full_at:
            return 0
        wait_s = self._full_at.get(network_of(address), 0.0) - self._burst_s - time.monotonic()
        return int(wait_s * 1000) + 1 if wait_s > 0 else 0


def network_of(address: str) -> str:
    """What is counted together: an IPv4 address, the /64 of an IPv6 one.

    A /64 is what one IPv6 host has to choose addresses from (RFC 4291, 2.5.1), while neighbours in an IPv4 /24 have
    mostly nothing to do with each other. Those without an address, as behind a Unix socket, are one network.
    """
    parsed = parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Interface((parsed, 64)).network)
    return str(parsed or "")
