"""How a batch travels: syslog over TCP or TLS, or as the body of a POST. It was delivered, or nobody knows.

Syslog has no answers, so a batch is a connection that is ended in order: our side is closed, and then the receiver
closes its own, which it does when it has read to the end. One that keeps its side open
has at least acknowledged every byte.
"""

import os
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from compliance import outside, posting
from compliance.siem.syslog import framed
from compliance.siem.tls import Connection

CONNECT_TIMEOUT_S = 5
SEND_TIMEOUT_S = 20
CLOSE_TIMEOUT_S = 5
TOO_LARGE = 413
OF_CONTENT = frozenset({400, TOO_LARGE, 422})
"""What receivers answer to what they do not take, whoever sends it."""
TLS, TCP, HTTPS = "syslog_tls", "syslog_tcp", "https"
WAY_ON = "For a receiver in your own network set SIEM_INSIDE=true where Portcullis is started."
"""What whoever runs the installation can do about a refusal."""


class NotDelivered(Exception):
    """A batch of which nobody knows that it arrived. The text is for people and tells nothing of what was answered.

    Args:
        retry_after_s: what the receiver asked for.
        is_of_content: whether the receiver refuses these events: with fewer of them it might do.
    """

    def __init__(self, text: str, *, retry_after_s: int = 0, is_of_content: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s, self.is_of_content = retry_after_s, is_of_content


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to, and who we say we are.

    Args:
        kind: TLS, TCP or HTTPS.
        url: of HTTPS; the others have host and port.
        ca: certificates to trust (PEM); empty: those that this machine trusts.
        certificate, private_key: ours (PEM), for receivers that want one.
        token: for `Authorization: Bearer`.
    """

    kind: str
    host: str = ""
    port: int = 0
    url: str = ""
    ca: str = ""
    certificate: str = ""
    private_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def check(to: Destination, *, inside: bool) -> None:
    """Whether anything may be sent there, as far as can be told without asking for its address.

    Raises:
        TargetRefused: it may not.
        ValueError: a certificate or key cannot be read.
    """
    if to.kind == HTTPS:
        outside.checked(to.url, inside=inside)
    elif to.kind == TCP and not inside:
        raise outside.TargetRefused("Only TLS is allowed: without it anybody on the way reads the audit log.")
    if to.ca or to.certificate:
        tls_of(to)


def send(messages: Sequence[bytes], to: Destination, *, inside: bool) -> None:
    """Sends one batch: for syslog messages without their frames, else lines.

    Raises:
        NotDelivered: at least a part may not have arrived; all of it is to be sent again.
    """
    try:
        check(to, inside=inside)
        if to.kind == HTTPS:
            _post(messages, to, inside=inside)
        else:
            _stream(b"".join(map(framed, messages)), to, inside=inside)
    except outside.TargetRefused as error:
        raise NotDelivered(f"{error} {'' if inside else WAY_ON}".rstrip(" .")) from error
    except ssl.SSLCertVerificationError as error:
        raise NotDelivered(f"the receiver's certificate is not trusted: {error.verify_message}") from error
    except TimeoutError as error:
        raise NotDelivered("the receiver does not answer in time") from error
    except ConnectionRefusedError as error:
        raise NotDelivered("nothing listens there: the connection was refused") from error
    except (OSError, ValueError) as error:
        raise NotDelivered(f"failed: {getattr(error, 'reason', None) or type(error).__name__}") from error


def tls_of(to: Destination) -> ssl.SSLContext:
    """Whom to trust, and our certificate.

    Raises:
        ValueError: a certificate or key cannot be read, or they do not belong together.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if to.ca:
            context = ssl.create_default_context(cadata=to.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        if to.certificate:
            with _in_memory(f"{to.certificate}\n{to.private_key}\n") as path:
                context.load_cert_chain(path, password="")  # one that is encrypted is refused instead of asked about
    except (ssl.SSLError, ValueError) as error:
        what = "Our certificate and its key cannot be used" if to.certificate else "The CA file cannot be read"
        raise ValueError(
            f"{what}: both are PEM, and a key must be its certificate's and without a password."
        ) from error
    return context


def _post(lines: Sequence[bytes], to: Destination, *, inside: bool) -> None:
    headers = {"Content-Type": "application/x-ndjson", "User-Agent": "Portcullis"}
    if to.token:
        headers["Authorization"] = f"Bearer {to.token}"
    body = b"".join(line + b"\n" for line in lines)
    tls = tls_of(to) if to.ca or to.certificate else None
    answer = posting.post(to.url, body, headers, inside=inside, timeout_s=SEND_TIMEOUT_S, tls=tls)
    if not answer.is_success:
        text = f"the receiver {answer.error}" if answer.status else answer.error
        raise NotDelivered(text, retry_after_s=answer.retry_after_s, is_of_content=answer.status in OF_CONTENT)


def _stream(data: bytes, to: Destination, *, inside: bool) -> None:
    address = outside.address_of(to.host, to.port, inside=inside)
    with socket.create_connection((address, to.port), timeout=CONNECT_TIMEOUT_S) as plain:
        plain.settimeout(SEND_TIMEOUT_S)
        if to.kind == TCP:
            plain.sendall(data)
            _end(plain)
            return
        tls = Connection(plain, tls_of(to), host=to.host)
        tls.sendall(data)
        _end_tls(tls, plain)


def _end(connection: socket.socket) -> None:
    """Closes our side, and waits until the receiver has read to the end."""
    connection.shutdown(socket.SHUT_WR)
    until = monotonic() + CLOSE_TIMEOUT_S
    try:
        while (left := until - monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(4096):
                return
    except TimeoutError:
        pass
    _require_acknowledged(connection)


def _end_tls(tls: Connection, plain: socket.socket) -> None:
    """The same with `close_notify` (RFC 5425, 4.4)."""
    with suppress(TimeoutError):
        if tls.end(timeout_s=CLOSE_TIMEOUT_S):
            return
    # It keeps its side open; or it closed without notice, which a machine passes on as an end only when all was read.
    _require_acknowledged(plain)


def _require_acknowledged(connection: socket.socket) -> None:
    if _unacknowledged(connection):
        raise NotDelivered("the receiver took the connection, and then not everything that was sent")


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes that the other side's machine has not confirmed (Linux: SIOCOUTQ); elsewhere nobody knows, so all."""
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (ImportError, OSError):
        return 1


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """The path of a file that is on no disk: OpenSSL takes a key from a file only."""
    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(file, text.encode())
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)
