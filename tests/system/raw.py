"""HTTP by hand, for requests that no client library would send."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.system.clients import PATH, Caller
from tests.system.processes import Gateway

_CONTENT = re.compile(rb'"content":("(?:[^"\\]|\\.)+")')


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers by lower-case name, and the body. Status 0: the connection was closed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error object; fails unless the body is one in OpenAI's form."""
        content = json.loads(self.body)
        assert set(content) == {"error"}
        error = content["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert all(isinstance(error[name], str) and error[name] for name in ("message", "type", "code"))
        return dict(error)


@contextmanager
def connected(gateway: Gateway) -> Iterator[socket.socket]:
    with socket.create_connection(gateway.address, timeout=20) as connection:
        yield connection


def request(caller: Caller, body: bytes, *headers: str, path: str = PATH, method: str = "POST") -> bytes:
    """The bytes of a request with the caller's key and a matching Content-Length."""
    return head(caller, *headers, f"Content-Length: {len(body)}", path=path, method=method) + body


def asking(caller: Caller, **fields: Any) -> bytes:
    """The bytes of a greeting; `fields` are further ones of its body."""
    return request(caller, json.dumps(caller.body(**fields)).encode())


def head(caller: Caller, *headers: str, path: str = PATH, method: str = "POST") -> bytes:
    """The bytes of a request's head; `headers` are all that it has beside host, key and type."""
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {caller.secret}",
        "Content-Type: application/json",
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def send(gateway: Gateway, *pieces: bytes, bodiless: bool = False) -> Answer:
    """Sends `pieces` over one connection and reads one answer; that to a HEAD is `bodiless`."""
    with connected(gateway) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # an answer may be there all the same
        return read_answer(connection, bodiless=bodiless)


def read_answer(connection: socket.socket, *, bodiless: bool = False) -> Answer:
    """One answer with a Content-Length; what has none ends with its head."""
    received = bytearray()
    while not received.endswith(b"\r\n\r\n"):
        if not _receive(connection, received, most=1):  # what comes behind belongs to the body, or to the next answer
            return Answer(0, {}, bytes(received))
    status_line, *lines = received.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = 0 if bodiless else int(headers.get("content-length", 0))
    content = bytearray()
    while len(content) < length and _receive(connection, content, most=length - len(content)):
        pass
    return Answer(int(status_line.split()[1]), headers, bytes(content))


def _receive(connection: socket.socket, into: bytearray, *, most: int) -> bool:
    try:
        piece = connection.recv(most)
    except ConnectionResetError:
        return False
    into += piece
    return bool(piece)


def read_contents(connection: socket.socket, count: int) -> list[str]:
    """Reads an answer until it has `count` pieces of content: of a stream, one for each token; returns those read.

    More than `count` come where they arrived together.
    """
    received = bytearray()
    while len(pieces := _CONTENT.findall(received)) < count:
        assert _receive(connection, received, most=65536), f"it ended after {len(pieces)} pieces: {bytes(received)!r}"
    return [json.loads(piece) for piece in pieces]


def read_to_the_end(connection: socket.socket) -> bytes:
    """The rest of a stream, in the pieces of its transfer encoding."""
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n") and _receive(connection, received, most=65536):
        pass
    return bytes(received)
