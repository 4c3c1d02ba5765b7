"""What a hostile tenant, a stranger or a broken upstream may try."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest
from django.db import connection

from accounts import tokens
from tests import factories
from tests.system import ledger, raw
from tests.system.clients import Caller, a_caller, unguarded
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system


@contextmanager
def an_upstream(content: bytes, *, kind: str = "application/json") -> Iterator[str]:
    """An upstream that answers everything with `content` and status 200; yields its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@contextmanager
def served_by(gateway: Gateway, content: bytes, *, kind: str = "application/json") -> Iterator[Caller]:
    """A caller whose model is at such an upstream."""
    with an_upstream(content, kind=kind) as base_url:
        yield a_caller(gateway, factories.a_model(factories.a_provider(base_url)))


# --- strangers ----------------------------------------------------------------------------------------------------


def test_the_body_of_a_stranger_is_not_read(acme: Caller) -> None:
    forged = tokens.generate("dev").text  # well-formed, and nobody's
    head = raw.head(acme, "Content-Length: 1000000").replace(acme.secret.encode(), forged.encode())
    assert raw.send(acme.gateway, head).status == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_read_no_body(acme: Caller, path: str) -> None:
    assert raw.send(acme.gateway, raw.head(acme, "Content-Length: 1000000", path=path)).status == 405


def test_the_admin_reads_no_endless_body(acme: Caller) -> None:
    """Django would spool it to disk; here it ends at the limit, and so does the connection."""
    chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    head = raw.head(acme, "Transfer-Encoding: chunked", path="/admin/login/")
    assert raw.send(acme.gateway, head, *[chunk] * 40).status in (0, 413)
    assert acme.ask().choices


# --- tenants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"functions": [{"name": "f", "description": "word " * 200_000}]}, id="functions"),
        pytest.param({"prediction": {"type": "content", "content": "word " * 200_000}}, id="prediction"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "A" * 10**6}}]}]},
            id="file",
        ),
    ],
)
def test_no_field_takes_text_past_a_budget(gateway: Gateway, sandbox: Sandbox, fields: dict[str, Any]) -> None:
    provider = factories.a_provider(sandbox.url)
    caller = unguarded(a_caller(gateway, factories.a_model(provider, context_tokens=1_000_000)))
    factories.a_budget(caller.tenant, dollars="0.01")
    with pytest.raises(openai.RateLimitError) as refused:
        caller.ask(max_tokens=1, **({"extra_body": fields} if "messages" not in fields else fields))
    assert refused.value.code == "insufficient_quota"
    assert sandbox.requests() == []


def test_a_body_of_very_many_parts_is_refused_before_it_is_parsed(acme: Caller) -> None:
    body = b'{"model":"m\\u0001","messages":[],"x":[' + b"{}," * 1_000_000 + b"{}]}"
    answer = acme.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_made_up_models_make_no_rows_of_their_own(acme: Caller) -> None:
    began = time.monotonic()
    for number in range(50):
        assert acme.post(acme.body() | {"model": f"made-up-{number}"}).status_code == 404
    seconds = time.monotonic() - began
    eventually(lambda: sum(record["requests"] for record in ledger.usages_of(acme.tenant)) == 50)
    assert len(ledger.usages_of(acme.tenant)) <= seconds + 2, "one a second"


def test_a_stray_notification_does_no_harm(acme: Caller) -> None:
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY portcullis_policy, 'tenant-7'")
        cursor.execute("NOTIFY portcullis_policy, ''")
    factories.a_key(acme.application)  # a change that the watch still must notice
    assert acme.ask().choices


def test_a_tenant_without_a_tier_is_told_so(acme: Caller) -> None:
    acme.tenant.subscription.delete()
    eventually(lambda: acme.post().status_code == 403)
    assert "no tier" in acme.post().json()["error"]["message"]


# --- upstreams ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "is_charged"),
    [
        pytest.param(b'{"error": {"message": "no"}}', False, id="an error with status 200"),
        pytest.param(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}", True, id="nested without end"),
    ],
)
def test_an_answer_that_is_none_is_a_failed_upstream(gateway: Gateway, content: bytes, is_charged: bool) -> None:
    with served_by(gateway, content) as caller:
        answer = caller.post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    record = ledger.only_usage_of(caller.tenant)
    assert record["outcome"] == "upstream_error"
    assert bool(record["cost_nano"]) == record["estimated"] == is_charged


def test_a_stream_that_begins_with_an_error_has_a_status_of_its_own(gateway: Gateway) -> None:
    with served_by(gateway, b'data: {"error": {"message": "no"}}\n\n', kind="text/event-stream") as caller:
        assert caller.post(caller.body() | {"stream": True}).status_code == 502


def test_a_stream_that_finishes_without_its_last_word_is_whole(gateway: Gateway) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
    with served_by(gateway, b"data: " + json.dumps(chunk).encode() + b"\n\n", kind="text/event-stream") as caller:
        answer = caller.post(caller.body() | {"stream": True})
    assert answer.text.endswith("data: [DONE]\n\n")
    assert ledger.only_usage_of(caller.tenant)["outcome"] == "completed"


def test_what_came_before_an_error_reaches_the_client(acme: Caller) -> None:
    knobs = {"error_after_chunks": 3}
    answer = acme.post(acme.body() | {"stream": True, "sandbox": knobs})
    events = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert sum('"content"' in event for event in events) >= 3
    assert '"error"' in events[-1]


def test_usage_reported_too_early_is_a_floor(gateway: Gateway) -> None:
    early = {"choices": [{"delta": {"content": "word " * 50}}], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}
    with served_by(gateway, b"data: " + json.dumps(early).encode() + b"\n\n", kind="text/event-stream") as caller:
        caller.post(caller.body() | {"stream": True})
    record = ledger.only_usage_of(caller.tenant)
    assert (record["outcome"], record["estimated"]) == ("cut", True)
    assert record["output_tokens"] >= 50
