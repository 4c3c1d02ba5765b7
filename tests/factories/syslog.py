"""Reads syslog as a receiver would (RFC 5424, 6587), and receives it over TCP and TLS."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_HEADER = re.compile(rb"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
_ELEMENT = re.compile(rb'\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL)
_PARAMETER = re.compile(rb' ([^ =\]"]+)="((?:[^"\\\]]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True)
class Message:
    priority: int
    time: str
    host: str
    kind: str
    parameters: dict[str, str]
    text: str


def parse(message: bytes) -> Message:
    """A message's parts, unescaped. Fails where it is not what RFC 5424 says."""
    header = _HEADER.match(message)
    assert header, message[:200]
    rest, parameters = message[header.end() :], {}
    if rest.startswith(b"- "):
        rest = rest[2:]
    else:
        element = _ELEMENT.match(rest)
        assert element, rest[:200]
        parameters = {
            name.decode(): re.sub(rb'\\(["\\\]])', rb"\1", value).decode()
            for name, value in _PARAMETER.findall(element[2])
        }
        assert rest[element.end() : element.end() + 1] == b" "
        rest = rest[element.end() + 1 :]
    text = rest[3:].decode() if rest.startswith(b"\xef\xbb\xbf") else rest.decode("ascii")
    return Message(int(header[1]), header[2].decode(), header[3].decode(), header[6].decode(), parameters, text)


def unframed(stream: bytes) -> Iterator[bytes]:
    """The messages of a stream that counts octets."""
    while stream:
        length, _, stream = stream.partition(b" ")
        assert len(stream) >= int(length), "the stream was cut off"
        yield stream[: int(length)]
        stream = stream[int(length) :]


@dataclass
class Collector:
    """A syslog server. `streams` are the connections that ended in order, `cut` those that did not."""

    port: int = 0
    streams: list[bytes] = field(default_factory=list)
    certificates: list[Any] = field(default_factory=list)
    connections: int = 0
    hang_up_after: int | None = None
    """Bytes after which it resets the connection, as one that dies does."""
    never_closes: bool = False

    @property
    def messages(self) -> list[Message]:
        return [parse(each) for stream in self.streams for each in unframed(stream)]


@contextmanager
def collecting(tls: ssl.SSLContext | None = None, *, port: int = 0) -> Iterator[Collector]:
    """A syslog server on this machine; with `tls`, its SSL context."""
    collector = Collector()
    listener = socket.create_server(("127.0.0.1", port))
    collector.port = listener.getsockname()[1]
    ended = threading.Event()
    threads = []

    def serve(plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            with tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
                _take(collector, connection, ended)
        except OSError:
            return  # it did not end in order, so nothing of it counts

    def accept() -> None:
        while not ended.is_set():
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            collector.connections += 1
            threads.append(threading.Thread(target=serve, args=(plain,)))
            threads[-1].start()

    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield collector
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join()


def _take(collector: Collector, connection: socket.socket, ended: threading.Event) -> None:
    if isinstance(connection, ssl.SSLSocket):
        collector.certificates.append(connection.getpeercert())
    received = bytearray()
    while piece := connection.recv(65_536):
        received += piece
        if collector.hang_up_after is not None and len(received) > collector.hang_up_after:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
    collector.streams.append(bytes(received))
    if collector.never_closes:
        ended.wait(20)
