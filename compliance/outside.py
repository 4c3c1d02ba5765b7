"""Where what this installation sends may go: to addresses of the public internet, unless inside ones are allowed.

A name is resolved once, every address that it has is checked, and the caller connects to the checked address: a name
that answers differently the second time (DNS rebinding) gains nothing. After OWASP's cheat sheet on the prevention of
server-side request forgery.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA assigns to the public internet of version 6."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How a network without IPv4 of its own calls addresses of version 4 (RFC 6052, 2.1)."""
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16",  # a cloud's own, though public by number: Azure's platform service
        "192.0.0.0/24",  # IETF protocol assignments, a few of which count as global (RFC 6890)
        "192.88.99.0/24",  # relays from 6to4, deprecated (RFC 7526)
        "2001::/23",  # IETF protocol assignments; Teredo is among them and leads to IPv4 addresses (RFC 4380)
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, leads to IPv4 addresses (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""What Python may call global, depending on its version, and nothing may be sent to."""


class TargetRefused(Exception):
    """The destination leads, or would lead, where nothing may be sent. The text says why."""


def checked(url: str, *, inside: bool) -> SplitResult:
    """The parts of a URL that may be posted to.

    Raises:
        TargetRefused: not https, with a user name, or without a host.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise TargetRefused(f"The URL makes no sense: {error}.") from error
    if parts.scheme not in (("https", "http") if inside else ("https",)):
        raise TargetRefused("Only https is allowed.")
    if not parts.hostname:
        raise TargetRefused("The URL names no host.")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("The URL contains a user name, which does not belong there.")
    return parts


def resolve(parts: SplitResult, *, inside: bool) -> str:
    """The address of a URL's host to connect to.

    Raises:
        TargetRefused: the name has no address, or one that is not public.
    """
    return address_of(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), inside=inside)


def address_of(host: str, port: int, *, inside: bool) -> str:
    """The address of a host to connect to.

    Raises:
        TargetRefused: the name has no address, or one that is not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"{host} has no address.") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not inside and not is_public(address):
            raise TargetRefused(f"{host} leads to {address}, which is not a public address.")
    return addresses[0]


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet; one that stands for an IPv4 address is judged as that."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        meant = _meant(address)
        if meant is None and address not in GLOBAL_UNICAST:
            return False
        address = meant or address
    return address.is_global and not address.is_multicast and not any(address in network for network in NOT_PUBLIC)


def _meant(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is called through an IPv6 one: mapped, or through the well-known prefix of NAT64."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped
