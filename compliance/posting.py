"""Posts to URLs that somebody else has chosen, and only to the outside.

Where they may go is for `compliance/outside.py` to say. No redirects, no proxies, and of the answer only the status and
`Retry-After` are kept.
"""

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import SplitResult

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from compliance.outside import TargetRefused, checked, resolve

TIMEOUT_S = 15
"""For all of an attempt from the connection on, as the specification recommends."""
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: a status, or why there is none."""

    status: int | None = None
    error: str = ""
    retry_after_s: int = 0

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    inside: bool,
    timeout_s: int = TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Posts `body`, as JSON unless `headers` say otherwise.

    Args:
        inside: allows http and addresses that are not public.
        timeout_s: for all of it, from the connection on.
        tls: whom to trust, and who to say that we are; without it, whom this machine trusts.
    """
    try:
        parts = checked(url, inside=inside)
        address = resolve(parts, inside=inside)
    except TargetRefused as error:
        return Answer(error=str(error))
    connection = _connection(parts, address, tls)
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


def _connection(parts: SplitResult, address: str, tls: ssl.SSLContext | None) -> HTTPConnection:
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
        ssl_context=tls,
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
