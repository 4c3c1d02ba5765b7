"""Whatever is sent, the answer is a clear refusal in OpenAI's form, or none at all; never a 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.models import Model
from gateway.wire.chat import ChatRequest
from tests.system import raw
from tests.system.clients import PATH, Caller, a_caller, unguarded
from tests.system.conftest import StartGateway
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

LIMIT_BYTES = 512 * 1024


@pytest.fixture(scope="module")
def strict(start_gateway_for_module: StartGateway) -> Gateway:
    """A gateway with little patience."""
    return start_gateway_for_module(BODY_LIMIT_BYTES=str(LIMIT_BYTES), BODY_TIMEOUT_S="1")


@pytest.fixture
def client(strict: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    return unguarded(a_caller(strict, model))


@pytest.fixture(autouse=True)
def _nothing_fails_inside(strict: Gateway) -> Iterator[None]:
    """No test here may leave an unexpected error in the log."""
    seen = len(strict.log_lines())
    yield
    assert [line for line in strict.log_lines()[seen:] if line.get("level") in {"error", "critical"}] == []
    assert "Traceback" not in strict.log.read_text()


def refusal(client: Caller, body: Any) -> tuple[int, str, str | None]:
    """Status, code and param of the refusal of `body` (JSON text, or what becomes it)."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = raw.send(client.gateway, raw.request(client, content))
    return answer.status, answer.error["code"], answer.error["param"]


# --- not JSON, or not an object ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"{",
        b'{"model": "m", "messages": [',
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"{}{}",
        b"{'model': 1}",
        b'{"model": NaN}',
        b'{"temperature": Infinity}',
        b'{"model": 1e999}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b"\x00\x01\x02",
        b'{"model": "\xff\xfe"}',
        b'{"model": "\xed\xa0\x80"}',
        b'{"model": "\\ud800"}',
        b'{"model": "\\udc00\\ud800"}',
        b'{"model": "a\x01b"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"model": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        bytes(range(256)),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_json_object(client: Caller, content: bytes) -> None:
    assert refusal(client, content)[:2] == (400, "invalid_request_error")


@pytest.mark.parametrize(("depth", "status"), [(50, 200), (190, 200), (210, 400), (500, 400), (985, 400), (2000, 400)])
@pytest.mark.parametrize("inner", [b"1", b'"\\u0000"'], ids=["plain", "with a control character"])
@pytest.mark.parametrize("field", [b"future", b"tools"])
def test_nesting_is_limited_before_anything_runs_out_of_stack(
    client: Caller, field: bytes, inner: bytes, depth: int, status: int
) -> None:
    value = b'{"type":"function","function":{"name":"f","parameters":' if field == b"tools" else b"["
    nested = value + b'{"a":' * depth + inner + b"}" * depth + (b"}}" if field == b"tools" else b"]")
    body = json.dumps(client.body()).encode()[:-1] + b',"%s":[%s]}' % (field, nested)
    answer = raw.send(client.gateway, raw.request(client, body))
    assert answer.status == status
    assert status == 200 or answer.error["code"] == "invalid_request_error"


# --- wrong fields --------------------------------------------------------------------------------------------------

MESSAGE = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 201}, "model"),
        ({"model": ["m"]}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [MESSAGE] * 101}, "messages"),
        ({"messages": [None]}, "messages[0]"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [{}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": True, "content": "x"}]}, "messages[0].role"),
        ({"messages": [MESSAGE, {"role": "user", "content": 7}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": {"text": "x"}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages[0].content[0].text"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": "x"}}, "stream_options.include_usage"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": False}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 4097}, "max_tokens"),
        ({"max_tokens": 2**63}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_completion_tokens": 4097}, "max_completion_tokens"),
        ({"stop": 7}, "stop"),
        ({"stop": [7]}, "stop[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [7]}, "tools[0]"),
        ({"response_format": "json"}, "response_format"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"safety_identifier": "x" * 129}, "safety_identifier"),
        ({"safety_identifier": 7}, "safety_identifier"),
        ({"user": ["x"]}, "user"),
        ({"user": "x" * 129}, "user"),
        ({"store": "true"}, "store"),
        ({"service_tier": 1}, "service_tier"),
        ({"prompt_cache_key": {}}, "prompt_cache_key"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_field_is_named(client: Caller, sandbox: Sandbox, fields: dict[str, Any], param: str | None) -> None:
    assert refusal(client, client.body(**fields)) == (400, "invalid_request_error", param)
    assert sandbox.requests() == []


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(client: Caller, missing: str) -> None:
    body = client.body()
    del body[missing]
    assert refusal(client, body) == (400, "invalid_request_error", missing)


def test_sizes_of_prompts(client: Caller) -> None:
    def prompt(*lengths: int) -> list[dict[str, Any]]:
        return [{"role": "user", "content": "x" * length} for length in lengths]

    assert client.post(client.body(messages=prompt(50_000, 50_000))).status_code == 200
    assert client.post(client.body(messages=[MESSAGE] * 100)).status_code == 200
    assert refusal(client, client.body(messages=prompt(1, 50_001)))[::2] == (413, "messages[1].content")
    assert refusal(client, client.body(messages=prompt(50_000, 50_000, 1)))[::2] == (413, "messages")
    parts = [{"type": "text", "text": "x" * 30_000}] * 2
    assert refusal(client, client.body(messages=[{"role": "user", "content": parts}]))[0] == 413


def test_of_a_field_that_is_there_twice_the_last_one_counts_everywhere(client: Caller, sandbox: Sandbox) -> None:
    body = json.dumps(client.body()).encode()[:-1] + b', "temperature": 9, "temperature": 0.5}'
    assert raw.send(client.gateway, raw.request(client, body)).status == 200
    assert sandbox.last_body()["temperature"] == 0.5


def test_control_characters_are_removed_before_anything_is_sent_on(client: Caller, sandbox: Sandbox) -> None:
    every = "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0)))
    text = f"a{every}\u00a0\u2028é😀z"
    kept = "a\t\n\r\u00a0\u2028é😀z"
    parts = [{"type": "text", "text": text}]
    messages = [{"role": "user", "content": text, "name": "x\x00y"}, {"role": "user", "content": parts}]
    body = client.body(messages=messages, metadata={f"k{every}": text}, future={"deep": [{"x\x1b": text}]})
    for ascii_only in (True, False):  # escaped, and as they are
        content = json.dumps(body, ensure_ascii=ascii_only).encode()
        assert raw.send(client.gateway, raw.request(client, content)).status == 200
        received = sandbox.last_body()
        assert received["messages"] == [
            {"role": "user", "content": kept, "name": "xy"},
            {"role": "user", "content": [{"type": "text", "text": kept}]},
        ]
        assert received["metadata"] == {"k\t\n\r": kept}
        assert received["future"] == {"deep": [{"x": kept}]}


# --- bodies --------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_refused_unread(client: Caller) -> None:
    answer = raw.send(client.gateway, raw.head(client, f"Content-Length: {LIMIT_BYTES + 1}"))
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_a_body_without_a_length_is_read_up_to_the_limit(client: Caller) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = raw.send(client.gateway, raw.head(client, "Transfer-Encoding: chunked"), *[piece] * 9)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_a_body_of_exactly_the_limit_is_taken(client: Caller) -> None:
    body = json.dumps(client.body()).encode()
    assert raw.send(client.gateway, raw.request(client, body + b" " * (LIMIT_BYTES - len(body)))).status == 200


def test_a_chunked_body_is_taken(client: Caller) -> None:
    body = json.dumps(client.body()).encode()
    pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])]
    answer = raw.send(client.gateway, raw.head(client, "Transfer-Encoding: chunked"), *pieces, b"0\r\n\r\n")
    assert answer.status == 200


def test_a_client_that_asks_before_it_sends_its_body(client: Caller) -> None:
    body = json.dumps(client.body()).encode()
    with raw.connected(client.gateway) as connection:
        connection.sendall(raw.head(client, "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert raw.read_answer(connection).status == 100
        connection.sendall(body)
        assert raw.read_answer(connection).status == 200
    answer = raw.send(client.gateway, raw.head(client, "Expect: 100-continue", f"Content-Length: {LIMIT_BYTES + 1}"))
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_requests_that_do_not_wait_for_each_others_answers(client: Caller) -> None:
    """Pipelined: what comes after a request is not taken for the end of its client."""
    bodies = [json.dumps(client.body(sandbox={"text": text, "latency_ms": 50})).encode() for text in ("one", "two")]
    with raw.connected(client.gateway) as connection:
        connection.sendall(b"".join(raw.request(client, body) for body in bodies))
        answers = [raw.read_answer(connection), raw.read_answer(connection)]
    texts = [json.loads(answer.body)["choices"][0]["message"]["content"] for answer in answers]
    assert texts == ["one", "two"]


def test_a_connection_serves_on_after_a_refusal(client: Caller) -> None:
    wrong, right = (json.dumps(client.body(n=n)).encode() for n in (0, 1))
    with raw.connected(client.gateway) as connection:
        for body, status in ((wrong, 400), (right, 200), (wrong, 400), (right, 200)):
            connection.sendall(raw.request(client, body))
            assert raw.read_answer(connection).status == status


@pytest.mark.parametrize("sent", [b"", b'{"model":'], ids=["nothing", "half of it"])
def test_a_slow_client_is_not_waited_for(client: Caller, sent: bytes) -> None:
    answer = raw.send(client.gateway, raw.head(client, "Content-Length: 100") + sent)
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")
    assert sent or "1 s" in answer.error["message"]


def test_connections_that_are_left_half_open_do_no_harm(client: Caller) -> None:
    for beginning in (
        b"",
        b"POST",
        raw.head(client, "Content-Length: 100")[:-2],
        raw.head(client, "Content-Length: 9"),
    ):
        with raw.connected(client.gateway) as connection:
            connection.sendall(beginning)
    assert client.ask().choices


def test_many_idle_connections_do_no_harm(client: Caller) -> None:
    idle = [raw.connected(client.gateway) for _ in range(1_500)]
    for connection in idle:
        connection.__enter__()
    try:
        assert client.ask().choices
    finally:
        for connection in idle:
            connection.__exit__(None, None, None)


# --- heads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("garbage", "statuses"),
    [
        (b"\x00\x01\x02\xff\r\n\r\n", {0, 400}),
        (b"GET\r\n\r\n", {0, 400}),
        (b"GET / HTTP/9.9\r\n\r\n", {0, 400, 505}),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nNo colon here\r\n\r\n", {0, 400}),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", {0, 400}),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", {0, 400}),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\x80\r\n\r\n", {401}),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-API-Key: \xe4\xf6\xfc\r\n\r\n", {401}),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a" * 60_000 + b"\r\n\r\n", {0, 401, 431}),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + b"X-Many: y\r\n" * 500 + b"\r\n", {0, 400, 401, 431}),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {0, 400, 404, 414, 431}),
    ],
    ids=lambda value: repr(value[:70]) if isinstance(value, bytes) else "",
)
def test_garbage_in_the_head(client: Caller, garbage: bytes, statuses: set[int]) -> None:
    with raw.connected(client.gateway) as connection:
        connection.sendall(garbage)
        assert raw.read_answer(connection).status in statuses


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions/x",
        "/v1/models/",
        "/v1//models",
        "/v1/%00",
        "/v1/%ff%fe",
        "/v1/models/%ff",
        "/v1/models/%00%01",
        "/v1/models/nobody-serves-this",
        "/v1/models/../models/x",
        "/v1/%F0%9F%98%80",
        "/v1/" + "x" * 5000,
        "/v1/models?x=%ff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths(client: Caller, path: str, method: str) -> None:
    answer = raw.send(client.gateway, raw.request(client, b"{}" if method == "POST" else b"", path=path, method=method))
    if "?" in path:
        assert answer.status == (200 if method == "GET" else 405)
        return
    assert answer.status in {404, 405}
    assert answer.error["code"] in {"unknown_url", "model_not_found", "method_not_allowed"}


@pytest.mark.parametrize("path", ["/", "/v1", "/nowhere", "/livez/x", "/%ff", "/%00", "/admin/%ff/"])
def test_paths_of_nobody(client: Caller, path: str) -> None:
    assert raw.send(client.gateway, raw.request(client, b"", path=path, method="GET")).status < 500


@pytest.mark.parametrize(
    ("path", "allowed"),
    [(PATH, "POST"), ("/v1/models", "GET"), ("/v1/models/x", "GET"), ("/livez", "GET"), ("/readyz", "GET")],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_wrong_methods(client: Caller, path: str, allowed: str, method: str) -> None:
    request = raw.request(client, b"", path=path, method=method)
    answer = raw.send(client.gateway, request, bodiless=method == "HEAD")
    if method == allowed:
        assert answer.status != 405
        return
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert answer.error["code"] == "method_not_allowed"


def test_without_a_key_nobody_learns_which_paths_there_are(client: Caller) -> None:
    paths = ["/v1/chat/completions", "/v1/models", "/v1/nowhere"]
    assert {client.gateway.get(path)[0] for path in paths} == {401}


# --- anything ------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*ChatRequest.__struct_fields__, "x"])
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "tool", "x"])}, optional={"content": JSON, "name": JSON}
    ),
    max_size=3,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(fields=st.dictionaries(FIELDS, JSON, max_size=5), messages=MESSAGES | st.none(), keep=st.booleans())
def test_any_json_is_answered_or_refused(
    client: Caller, fields: dict[str, Any], messages: list[Any] | None, keep: bool
) -> None:
    body = client.body(max_tokens=1) if keep else {}
    body |= fields | ({"messages": messages} if messages is not None else {})
    answer = raw.send(client.gateway, raw.request(client, json.dumps(body).encode()))
    assert answer.status in {200, 400, 404, 413}
    if answer.status != 200:
        assert answer.error["code"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused(client: Caller, content: bytes) -> None:
    answer = raw.send(client.gateway, raw.request(client, content))
    assert answer.status == 400
    assert answer.error["code"] == "invalid_request_error"


def test_it_is_well_after_all_this(client: Caller) -> None:
    eventually(client.gateway.is_ready)
    assert client.ask().choices
