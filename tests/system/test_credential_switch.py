"""A provider's credential is replaced under load: no request fails, and soon none is sent with the old one."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.actions import credentials
from gateway.models import Provider
from tests import factories
from tests.factories import THE_SYSTEM
from tests.system import crowd
from tests.system.clients import a_caller
from tests.system.processes import Gateway

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

SWITCHES = 6
REQUESTS = 600
REACHES_GATEWAYS_WITHIN_S = 1.0
SLOW_S = 0.02


class Upstream:
    """Knows some credentials, and answers all requests that have one of them."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.used: list[str] = []
        self.url = ""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"data": []})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            upstream.used.append(self._sent())
            time.sleep(SLOW_S)
            choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
            self._answer({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

        def _sent(self) -> str:
            return self.headers.get("Authorization", "").removeprefix("Bearer ")

        def _answer(self, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(200 if self._sent() in upstream.accepted else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    upstream.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield upstream
    server.shutdown()
    server.server_close()
    thread.join()


def test_requests_go_on_while_the_credential_is_replaced(gateway: Gateway, upstream: Upstream) -> None:
    names = (f"sk-number-{number:04}-abcdefgh" for number in itertools.count())
    in_use = next(names)
    upstream.accepted.add(in_use)
    provider = factories.a_provider(upstream.url, credential=in_use)
    caller = a_caller(gateway, factories.a_model(provider))
    assert caller.post().status_code == 200

    def replace_again_and_again() -> str:
        """As a person would: the old one is withdrawn at the provider once the new one is in use here."""
        current = in_use
        for _ in range(SWITCHES):
            new = next(names)
            upstream.accepted.add(new)
            assert _switched(provider, new)
            time.sleep(REACHES_GATEWAYS_WITHIN_S)
            upstream.accepted.discard(current)
            current = new
        return current

    requests = [crowd.Asked(caller, caller.body())] * REQUESTS
    statuses, last = asyncio.run(crowd.ask_until(replace_again_and_again, requests, at_once=4))
    assert set(statuses) == {200}
    assert caller.post().status_code == 200
    assert upstream.used[-1] == last
    assert len(set(upstream.used)) == SWITCHES + 1


def _switched(provider: Provider, credential: str) -> bool:
    return credentials.replace(provider=provider, credential=credential, by=THE_SYSTEM).state == "current"
