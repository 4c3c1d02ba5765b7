"""Answers in less usual forms: they cost what they are worth, and no budget is overspent by them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from gateway.allowance import SLICE_TOKENS
from tests import factories
from tests.system import books, raw
from tests.system.clients import Caller, a_caller, served
from tests.system.processes import Gateway

pytestmark = pytest.mark.system

NANO_PER_TOKEN = 1_000
PRICE = {"input_nano": 0, "output_nano": NANO_PER_TOKEN * 1_000_000}
WORDS = "the quick brown fox jumps over the lazy dog "
TOKENS, PIECES = 9, 400
SHAPES: dict[str, dict[str, Any]] = {
    "custom tool": {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "c", "input": WORDS}}]},
    "one call, as it was once": {"function_call": {"arguments": WORDS}},
    "reasoning": {"reasoning": WORDS},
}


@contextmanager
def an_upstream(piece: dict[str, Any]) -> Iterator[str]:
    """An upstream that streams `piece` many times, at a pace; yields its base URL."""
    usage = {"prompt_tokens": 5, "completion_tokens": TOKENS * PIECES}
    written = {"id": "x", "choices": [{"index": 0, "delta": piece}]}
    last = {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for _ in range(PIECES):
                    self.wfile.write(b"data: " + json.dumps(written).encode() + b"\n\n")
                    time.sleep(0.002)  # the pace of the upstream
                self.wfile.write(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")
            except ConnectionError:
                pass  # the gateway had enough

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def a_caller_of(gateway: Gateway, base_url: str) -> Caller:
    model = factories.a_model(factories.a_provider(base_url), price=PRICE, tokenizer="o200k_base")
    return a_caller(gateway, served(gateway, model))


@pytest.mark.parametrize("piece", SHAPES.values(), ids=SHAPES.keys())
def test_a_budget_holds_whatever_form_an_answer_has(gateway: Gateway, piece: dict[str, Any]) -> None:
    with an_upstream(piece) as base_url:
        caller = a_caller_of(gateway, base_url)
        limit_nano = 2 * SLICE_TOKENS * NANO_PER_TOKEN
        factories.a_budget(caller.tenant, period="total", limit_nano=limit_nano)
        assert caller.post(caller.body(stream=True)).status_code == 200
        (record,) = books.balanced(caller)
    assert record["outcome"] == "over_budget"
    assert 0 < record["cost_nano"] <= limit_nano


@pytest.mark.parametrize("piece", SHAPES.values(), ids=SHAPES.keys())
def test_who_leaves_pays_for_what_was_relayed_in_whatever_form(gateway: Gateway, piece: dict[str, Any]) -> None:
    with an_upstream(piece) as base_url:
        caller = books.with_budgets(a_caller_of(gateway, base_url))
        with raw.connected(gateway) as connection:
            connection.sendall(raw.asking(caller, stream=True))
            read = b""
            while read.count(b"data: ") < PIECES // 2:
                read += connection.recv(65536)
        (record,) = books.balanced(caller)
    assert record["outcome"] == "client_left"
    assert record["output_tokens"] >= TOKENS * PIECES // 2 - 10
