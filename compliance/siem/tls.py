"""A TLS connection whose end can be told from its failure.

OpenSSL, asked to end a connection, takes an alert that came meanwhile for the other side's agreement; with TLS 1.3 that
is how a receiver refuses a certificate. So here what is sent and what is read are apart: the end is said first, and
then read is what the receiver has to say about it.
"""

import socket
import ssl
from contextlib import suppress
from time import monotonic

PIECE = 65_536


class Connection:
    """TLS over a socket that is connected. The socket's time-out holds for each wait."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, *, host: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._shake_hands()

    def sendall(self, data: bytes) -> None:
        """Sends everything, or raises an OSError."""
        for start in range(0, len(data), PIECE):
            self._tls.write(data[start : start + PIECE])
            self._flush()

    def end(self, *, timeout_s: float) -> bool:
        """Says that this is all, and reads until the receiver says so too; returns whether it did, or just left.

        Raises:
            OSError: it had something to object, or left before it had everything.
            TimeoutError: it keeps its side open.
        """
        with suppress(ssl.SSLWantReadError):
            self._tls.read(1)
            raise ConnectionResetError  # it has ended before we did
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()
        return self._read_to_the_end(monotonic() + timeout_s)

    def _read_to_the_end(self, until: float) -> bool:
        while (left := until - monotonic()) > 0:
            self._plain.settimeout(left)
            self._feed()
            try:
                while self._tls.read(PIECE):
                    pass
                return True
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLZeroReturnError:
                return True
            except ssl.SSLEOFError:
                return False
        raise TimeoutError

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            else:
                return self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._plain.sendall(data)

    def _feed(self) -> None:
        if data := self._plain.recv(PIECE):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
