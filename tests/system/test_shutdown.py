"""A gateway that is told to stop finishes what it has begun, takes nothing new, and leaves nothing unsettled."""

import signal

import httpx2
import pytest

from gateway.models import Model
from tests.system import ledger, raw
from tests.system.clients import a_caller, unguarded
from tests.system.conftest import StartGateway
from tests.system.processes import STOPPED_WITHIN_S, Sandbox, eventually

pytestmark = pytest.mark.system


def test_a_stream_that_runs_is_finished(start_gateway: StartGateway, sandbox: Sandbox, model: Model) -> None:
    gateway = start_gateway()
    caller = unguarded(a_caller(gateway, model))
    with httpx2.Client(base_url=gateway.url) as probe, caller.sdk() as client:
        assert probe.get("/readyz").status_code == 200
        fields = caller.completion(stream=True, knobs={"tokens": 15, "chunk_ms": 100})
        with client.chat.completions.create(**fields) as stream:
            next(stream)
            gateway.process.send_signal(signal.SIGTERM)
            eventually(lambda: _is_draining(probe))
            texts = [choice.delta.content for chunk in stream for choice in chunk.choices if choice.delta.content]
        assert len(texts) == 15
    assert gateway.process.wait(STOPPED_WITHIN_S) == 0
    record = ledger.usage_of(stream.response.headers["x-request-id"])
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 15, False)
    assert (ledger.holds_of(caller.tenant), ledger.held_by(caller.tenant)) == (0, 0)


def _is_draining(probe: httpx2.Client) -> bool:
    """Whether a balancer would send nothing more: told so, or not let in at all."""
    try:
        answer = probe.get("/readyz")
    except httpx2.TransportError:
        return True
    return answer.status_code == 503 and answer.json()["failing"] == ["draining"]


def test_a_whole_answer_that_is_under_way_is_given(start_gateway: StartGateway, sandbox: Sandbox, model: Model) -> None:
    gateway = start_gateway()
    caller = a_caller(gateway, model)
    with raw.connected(gateway) as connection:
        body = b'{"model":"%s","messages":[{"role":"user","content":"Hi"}],"sandbox":{"latency_ms":1500}}'
        connection.sendall(raw.request(caller, body % caller.model.encode()))
        sandbox.wait_for_running(1)
        gateway.process.send_signal(signal.SIGTERM)
        answer = raw.read_answer(connection)
    assert answer.status == 200
    assert gateway.process.wait(STOPPED_WITHIN_S) == 0
    assert ledger.only_usage_of(caller.tenant)["outcome"] == "completed"


def test_refusals_that_were_only_counted_are_written_down(
    start_gateway: StartGateway, sandbox: Sandbox, model: Model
) -> None:
    gateway = start_gateway()
    caller = a_caller(gateway, "nobody-serves-this")
    for _ in range(3):
        assert caller.post().status_code == 404
    assert gateway.stop() == 0
    assert sum(record["requests"] for record in ledger.usages_of(caller.tenant)) == 3


def test_a_killed_gateway_leaves_a_hold_that_is_swept_at_its_full_price(
    start_gateway: StartGateway, sandbox: Sandbox, model: Model
) -> None:
    gateway = start_gateway()
    caller = a_caller(gateway, model)
    with raw.connected(gateway) as connection:
        body = b'{"model":"%s","messages":[{"role":"user","content":"Hi"}],"max_tokens":10,"sandbox":{"hang":true}}'
        connection.sendall(raw.request(caller, body % caller.model.encode()))
        sandbox.wait_for_running(1)
        gateway.kill()
    assert ledger.holds_of(caller.tenant) == 1
    ledger.expire_holds_of(caller.tenant)
    record = ledger.only_usage_of(caller.tenant)
    assert (record["outcome"], record["estimated"], record["output_tokens"]) == ("swept", True, 10)
    assert record["cost_nano"] == record["input_tokens"] * 150 + 10 * 600
    assert (ledger.holds_of(caller.tenant), ledger.held_by(caller.tenant)) == (0, 0)
