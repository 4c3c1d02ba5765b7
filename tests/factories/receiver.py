"""A server that takes webhooks, as a tenant would run one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came in, and what it answers: a status, with headers, or whatever `behave` does."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    behave: Callable[[BaseHTTPRequestHandler], None] | None = None
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def messages(self) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for _, headers, body in self.requests]


@contextmanager
def receiving(tls: Any = None) -> Iterator[Receiver]:
    """A receiver on a free port of this machine; with `tls`, a server's SSL context."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if receiver.behave is not None:
                receiver.behave(self)
                return
            self.send_response(receiver.status)
            for name, value in {"Content-Length": str(len(receiver.body)), **receiver.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/hooks?of=acme"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
