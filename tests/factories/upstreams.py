"""A provider that lists its models to whoever has a key that it knows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listing:
    """What it answers, by credential; other ones get `otherwise`. `asked` has the credentials that came in."""

    url: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    otherwise: int = 401
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def answering(statuses: dict[str, int], *, otherwise: int = 401) -> Iterator[Listing]:
    """A server on a free port of this machine; `bodies` has what it answers by path, where that matters."""
    listing = Listing(statuses=dict(statuses), otherwise=otherwise)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
            listing.asked.append(sent)
            listing.paths.append(self.path)
            listing.headers.append({name.lower(): value for name, value in self.headers.items()})
            body = listing.bodies.get(self.path, b'{"data":[]}')
            self.send_response(listing.statuses.get(sent, listing.otherwise))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    listing.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield listing
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
