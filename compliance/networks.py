"""Which addresses are counted as one. Pure."""

import ipaddress

from compliance.contracts import Target

OTHERS = "others"
"""Stands for further networks, where too many came in one minute to name each."""


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one host has to choose from (RFC 4291, 2.5.1).

    Empty for what is no address, as behind a Unix socket.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Interface((parsed, 64)).network)
    return str(parsed)


def target_of(address: str | None) -> Target:
    """The network of an address, as what an event is about."""
    return Target("network", network_of(address or "") or "unknown")
