"""Posts to URLs that somebody else has chosen, and only to the outside.

A name is resolved once, every address that it has is checked, and the connection goes to the checked address: a name
that answers differently the second time (DNS rebinding) gains nothing. No redirects, no proxies, and of the answer only
the status and `Retry-After` are kept. After OWASP's cheat sheet on the prevention of server-side request forgery.
"""

import ipaddress
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

TIMEOUT_S = 15
"""For all of an attempt from the connection on, as the specification recommends."""
CONNECT_TIMEOUT_S = 5
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
"""What Python may call global, depending on its version, and no webhook may be sent to."""


class TargetRefused(Exception):
    """The URL leads, or would lead, where no webhook may go. The text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: a status, or why there is none."""

    status: int | None = None
    error: str = ""
    retry_after_s: int = 0

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str], *, inside: bool, timeout_s: int = TIMEOUT_S) -> Answer:
    """Posts `body` as JSON; `inside` allows http and addresses that are not public."""
    try:
        parts = checked(url, inside=inside)
        address = resolve(parts, inside=inside)
    except TargetRefused as error:
        return Answer(error=str(error))
    connection = _connection(parts, address)
    ended = threading.Event()
    # Time-outs of sockets begin anew with each byte; this one ends an answer that comes drop by drop.
    clock = threading.Timer(timeout_s, _hang_up, (connection, ended))
    clock.daemon = True
    clock.start()
    try:
        answer = _exchange(connection, parts, body, headers)
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        answer = Answer(error=_reason(error))
    finally:
        clock.cancel()
        connection.close()
    return Answer(error=f"no answer within {timeout_s} s") if ended.is_set() else answer


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
        raise TargetRefused("The URL contains a user name; receivers know us by the signature.")
    return parts


def resolve(parts: SplitResult, *, inside: bool) -> str:
    """The address to connect to.

    Raises:
        TargetRefused: the name has no address, or one that is not public.
    """
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
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


def _connection(parts: SplitResult, address: str) -> HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(address, parts.port or 80, timeout=CONNECT_TIMEOUT_S)
    return HTTPSConnection(
        address,
        parts.port or 443,
        timeout=CONNECT_TIMEOUT_S,
        server_hostname=host,
        assert_hostname=host,
        cert_reqs="CERT_REQUIRED",
    )


def _exchange(connection: HTTPConnection, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection.connect()
    if connection.sock is not None:
        connection.sock.settimeout(TIMEOUT_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    common = {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": "Portcullis-Webhooks"}
    connection.request("POST", path, body=body, headers={**common, **headers}, preload_content=False)
    response = connection.getresponse()
    retry_after = response.headers.get("Retry-After", "")
    return Answer(
        status=response.status,
        error="" if 200 <= response.status < 300 else f"answered {response.status}",
        retry_after_s=int(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else 0,
    )


def _hang_up(connection: HTTPConnection, ended: threading.Event) -> None:
    ended.set()
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself


def _reason(error: Exception) -> str:
    """The kind of failure; texts of errors may hold parts of what was answered."""
    return {"NewConnectionError": "cannot connect", "ConnectTimeoutError": "cannot connect"}.get(
        type(error).__name__, f"failed: {type(error).__name__}"
    )
