"""Whose address a request comes from. Pure; both planes use it."""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """The client's address: `peer`, unless that is a trusted proxy.

    Each proxy appends the address it was called from, so of `forwarded_for` (X-Forwarded-For) the right-most entry
    that is no trusted proxy counts; whatever stands left of it, the client may have written. An entry that is no
    address ends the search at the proxy that reported it. Empty when `peer` is no address, as behind a Unix socket.
    """
    client = parse(peer)
    for entry in reversed(forwarded_for.split(",")):
        if client is None or not is_within(client, trusted):
            break
        reported = parse(entry)
        if reported is None:
            break
        client = reported
    return str(client) if client is not None else ""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks out of CIDR notation, or single addresses.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def parse(text: str) -> Address | None:
    """The address in `text`, with or without port and brackets; IPv4 written as IPv6 becomes IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def is_within(address: Address, within: tuple[Network, ...]) -> bool:
    return any(address in network for network in within)
