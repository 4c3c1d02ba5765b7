"""The sandbox over real HTTP, with the official SDK as its client."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

HELLO: Any = [{"role": "user", "content": "Hello"}]
KEY = "sk-sandbox-test"


class Server:
    """A running sandbox and its own endpoints."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "gateway.sandbox", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def stop(self) -> tuple[int, str]:
        """Ask it to stop. Returns its exit status and all that it wrote after its first line."""
        self.process.send_signal(signal.SIGTERM)
        out, errors = self.process.communicate(timeout=10)
        return self.process.returncode, out + errors

    def client(self, key: str = KEY) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    def ask(self, path: str, *, method: str = "GET") -> Any:
        call = urllib.request.Request(f"{self.url}/_sandbox/{path}", method=method)
        with urllib.request.urlopen(call, timeout=40) as answer:
            return json.loads(answer.read() or b"null")

    def last_request(self) -> Any:
        """Return the record of the last request, once nothing runs any more."""
        self.ask("stats?running=0")
        return self.ask("requests")[-1]

    def raw(self, body: dict[str, Any]) -> bytes:
        """Return every byte of an answer as it was sent, up to the end of the connection."""
        host, port = self.url.removeprefix("http://").split(":")
        content = json.dumps({"model": "sandbox-small", "messages": HELLO} | body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
        head += f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head.encode() + content)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server("--api-key", KEY, "--record-bodies")
    yield server
    assert server.stop() == (0, "")


@pytest.fixture
def server(running: Server) -> Server:
    running.ask("stats?running=0")
    running.ask("requests", method="DELETE")
    return running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with server.client() as client:
        yield client


def complete(client: OpenAI, *, knobs: dict[str, Any] | None = None, **fields: Any) -> Any:
    return client.chat.completions.create(
        **({"model": "sandbox-small", "messages": HELLO} | fields), extra_body={"sandbox": knobs or {}}
    )


def stream(client: OpenAI, **fields: Any) -> list[ChatCompletionChunk]:
    with complete(client, stream=True, **fields) as chunks:
        return list(chunks)


def deltas(chunks: list[ChatCompletionChunk], *, index: int = 0) -> list[str]:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return [choice.delta.content for choice in choices if choice.delta.content]


def test_it_works(client: OpenAI) -> None:
    answer = complete(client)
    assert answer.choices[0].message.content.endswith(".")
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (8, 22)


def test_a_stream_says_what_the_whole_answer_says(client: OpenAI) -> None:
    assert "".join(deltas(stream(client))) == complete(client).choices[0].message.content


def test_a_stream_is_role_deltas_finish_usage(client: OpenAI) -> None:
    first, *middle, finish, last = stream(
        client, stream_options={"include_usage": True}, knobs={"tokens": 4, "cached_tokens": 3}
    )
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert len(deltas(middle)) == len(middle) == 4
    assert finish.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 12
    assert last.usage.prompt_tokens_details is not None
    assert last.usage.prompt_tokens_details.cached_tokens == 3
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in (first, *middle, finish))


def test_a_stream_ends_with_done_and_has_no_usage_unless_asked(server: Server) -> None:
    answer = server.raw({"stream": True})
    assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert b"usage" not in answer
    assert b"text/event-stream" in answer


def test_streamed_choices_come_in_turn_and_each_finishes(client: OpenAI) -> None:
    chunks = stream(client, n=2, knobs={"tokens": 3})
    assert [chunk.choices[0].index for chunk in chunks] == [0, 1] * 5
    assert deltas(chunks, index=0) != deltas(chunks, index=1)


def test_tokens_are_spread_over_the_chunks_asked_for(client: OpenAI) -> None:
    assert len(deltas(stream(client, knobs={"tokens": 50, "chunks": 7}))) == 7
    assert len(deltas(stream(client, knobs={"chunks": 9}))) == 9


def test_the_text_asked_for_is_answered_to_the_letter(client: OpenAI) -> None:
    text = 'Привет "мир" 🙂\n\tend'
    assert complete(client, knobs={"text": text}).choices[0].message.content == text
    assert "".join(deltas(stream(client, knobs={"text": text}))) == text


def test_a_very_large_answer_arrives_whole(client: OpenAI) -> None:
    assert len(complete(client, knobs={"chars": 3_000_000}).choices[0].message.content) == 3_000_000
    assert len("".join(deltas(stream(client, knobs={"chars": 300_000, "chunks": 900})))) == 300_000


def test_a_streamed_tool_call_is_the_whole_one_in_pieces(client: OpenAI) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    whole = complete(client, tools=tools, tool_choice="required").choices[0]
    chunks = stream(client, tools=tools, tool_choice="required")
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert (calls[0].id, calls[0].function and calls[0].function.name) == (
        whole.message.tool_calls[0].id,
        "weather",
    )
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert json.loads(arguments) == {"city": "example"}
    assert arguments == whole.message.tool_calls[0].function.arguments
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason == "tool_calls"


def test_a_json_answer_is_json(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    structured = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    assert json.loads(complete(client, response_format=structured).choices[0].message.content) == {"ok": True}
    assert json.loads(complete(client, response_format={"type": "json_object"}).choices[0].message.content)


def test_models_are_listed_and_found(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["sandbox-small", "sandbox-large"]
    assert client.models.retrieve("sandbox-large").id == "sandbox-large"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("sandbox-huge")


def test_a_wrong_credential_is_refused_and_not_repeated(server: Server) -> None:
    with server.client("sk-wrong") as stranger:
        with pytest.raises(openai.AuthenticationError) as refusal:
            complete(stranger)
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
    assert (refusal.value.code, refusal.value.status_code) == ("invalid_api_key", 401)
    assert "sk-wrong" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"knobs": {"latency": 5}}, "sandbox.latency", id="unknown-knob"),
        pytest.param({"knobs": {"latency_ms": -1}}, "sandbox.latency_ms", id="negative-latency"),
        pytest.param({"knobs": {"status": 200}}, "sandbox.status", id="status-that-is-no-error"),
        pytest.param({"knobs": {"error_after_chunks": 1}}, "sandbox.error_after_chunks", id="needs-stream"),
        pytest.param({"messages": []}, "messages", id="no-messages"),
        pytest.param({"messages": [{"content": "x"}]}, "messages[0].role", id="no-role"),
        pytest.param({"max_tokens": 0}, "max_tokens", id="no-tokens"),
        pytest.param({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", id="two-limits"),
        pytest.param({"stream_options": {"include_usage": True}}, "stream_options", id="options-without-stream"),
    ],
)
def test_a_bad_request_is_refused_by_field(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        complete(client, **fields)
    assert (refusal.value.param, refusal.value.type) == (param, "invalid_request_error")


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        complete(client, model="gpt-4o")
    assert refusal.value.code == "model_not_found"


def test_the_status_asked_for_is_answered(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as refusal:
        complete(client, stream=True, knobs={"status": 429, "retry_after_s": 7})
    assert refusal.value.code == "rate_limit_exceeded"
    assert refusal.value.response.headers["retry-after"] == "7"


def test_usage_can_be_withheld(client: OpenAI) -> None:
    assert complete(client, knobs={"no_usage": True}).usage is None
    chunks = stream(client, stream_options={"include_usage": True}, knobs={"no_usage": True})
    assert all(chunk.usage is None for chunk in chunks)


def test_a_cut_before_the_answer_sends_no_byte(server: Server) -> None:
    assert server.raw({"sandbox": {"cut": True}}) == b""
    assert server.last_request()["state"] == "failed"


def test_a_cut_stream_ends_without_its_end(server: Server) -> None:
    answer = server.raw({"stream": True, "sandbox": {"cut_after_chunks": 3}})
    assert answer.count(b"data: ") == 1 + 3
    assert not answer.endswith(b"0\r\n\r\n")
    record = server.last_request()
    assert (record["state"], record["chunks_sent"], record["tokens_sent"]) == ("failed", 3, 3)


def test_a_cut_whole_answer_stops_in_its_body(client: OpenAI) -> None:
    with pytest.raises(openai.APIConnectionError):
        complete(client, knobs={"cut_after_chunks": 1})


def test_an_error_within_a_stream_reaches_the_client(server: Server, client: OpenAI) -> None:
    with complete(client, stream=True, knobs={"error_after_chunks": 2}) as chunks:
        received: list[Any] = []
        with pytest.raises(openai.APIError, match="server had an error"):
            received.extend(iter(lambda: next(chunks), None))
    assert server.last_request()["state"] == "failed"


def test_malformed_answers_are_not_json(server: Server) -> None:
    for streamed in (False, True):
        event = server.raw({"stream": streamed, "sandbox": {"malformed": True}})
        assert b'{"id":"chatcmpl-' in event
        assert b"[DONE]" not in event
        assert server.last_request()["state"] == "failed"
    body = server.raw({"sandbox": {"malformed": True}}).partition(b"\r\n\r\n")[2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_a_request_is_remembered_with_its_body_but_without_knobs(server: Server, client: OpenAI) -> None:
    answer = complete(client, temperature=0.5, knobs={"tokens": 6})
    record = server.last_request()
    assert record["body"] == {"model": "sandbox-small", "messages": HELLO, "temperature": 0.5}
    assert (record["id"], record["model"], record["state"]) == (answer.id, "sandbox-small", "completed")
    assert (record["chunks_sent"], record["tokens_sent"], record["authorization_present"]) == (1, 6, True)


def test_a_stream_read_to_its_end_is_completed(server: Server, client: OpenAI) -> None:
    stream(client, knobs={"tokens": 5, "chunk_ms": 1})
    record = server.last_request()
    assert (record["state"], record["chunks_sent"], record["tokens_sent"]) == ("completed", 5, 5)
    assert server.ask("stats") == {"running": 0, "completed": 1, "cancelled": 0, "failed": 0}


def test_a_client_that_leaves_between_chunks_is_noticed_at_once(server: Server, client: OpenAI) -> None:
    with complete(client, stream=True, knobs={"tokens": 1000, "chunk_ms": 600_000}) as chunks:
        next(chunks)
    record = server.last_request()
    assert (record["state"], record["chunks_sent"]) == ("cancelled", 0)


@pytest.mark.parametrize("knobs", [{"latency_ms": 600_000}, {"hang": True}], ids=["latency", "hang"])
def test_a_client_that_leaves_before_the_answer_is_noticed_at_once(server: Server, knobs: dict[str, Any]) -> None:
    async def leave() -> None:
        async with an_async_client(server) as client:
            request = client.chat.completions.create(
                model="sandbox-small", messages=HELLO, extra_body={"sandbox": knobs}
            )
            waiting = asyncio.create_task(request)
            assert (await asyncio.to_thread(server.ask, "stats?running=1"))["running"] == 1
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    asyncio.run(leave())
    assert server.last_request()["state"] == "cancelled"


def test_a_client_that_reads_nothing_stops_a_large_stream(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"model": "sandbox-small", "messages": HELLO, "stream": True, "sandbox": {"tokens": 500_000}})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert connection.recv(1)
    record = server.last_request()
    assert record["state"] == "cancelled"
    assert record["chunks_sent"] < 500_000


def test_many_streams_run_side_by_side(server: Server) -> None:
    async def one(client: AsyncOpenAI) -> int:
        chunks = await client.chat.completions.create(
            model="sandbox-large",
            messages=HELLO,
            stream=True,
            extra_body={"sandbox": {"tokens": 20, "chunk_ms": 2}},
        )
        return len([chunk async for chunk in chunks])

    async def many() -> list[int]:
        async with an_async_client(server) as client:
            return await asyncio.gather(*(one(client) for _ in range(50)))

    assert asyncio.run(many()) == [22] * 50
    assert server.ask("stats?running=0")["completed"] == 50


def test_running_requests_are_not_forgotten(server: Server, client: OpenAI) -> None:
    complete(client)
    with complete(client, stream=True, knobs={"chunk_ms": 600_000}) as chunks:
        next(chunks)
        server.ask("requests", method="DELETE")
        assert [record["state"] for record in server.ask("requests")] == ["running"]
        assert server.ask("stats") == {"running": 1, "completed": 0, "cancelled": 0, "failed": 0}


def test_an_unknown_path_is_refused_as_openai_does(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.embeddings.create(model="sandbox-small", input="x", encoding_format="float")
    assert refusal.value.code == "unknown_url"


def test_fast_mode_answers_in_the_same_shapes_without_knobs_or_credentials() -> None:
    server = Server("--fast")
    with server.client() as client:
        whole = complete(client, knobs={"tokens": 1})
        *chunks, last = stream(client, stream_options={"include_usage": True})
        plain = stream(client)
    assert "".join(deltas(chunks)) == "".join(deltas(plain)) == whole.choices[0].message.content
    assert last.usage == whole.usage
    assert server.ask("stats")["completed"] == 3
    assert "body" not in server.last_request()
    assert server.stop() == (0, "")


def test_it_stops_on_sigterm_with_a_stream_open() -> None:
    server = Server()
    with server.client() as client, complete(client, stream=True, knobs={"chunk_ms": 600_000}) as chunks:
        next(chunks)
        assert server.stop() == (0, "")


def test_it_starts_without_django() -> None:
    code = "import sys, gateway.sandbox.__main__; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "gateway.sandbox.app" in modules.split()
    assert "django" not in modules.split()


@contextlib.asynccontextmanager
async def an_async_client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client
