"""Without its databases the gateway refuses quickly and sends nothing; what was under way is settled afterwards."""

from collections.abc import Iterator

import openai
import pytest

from gateway.models import Model
from tests.system import ledger
from tests.system.clients import Attempts, Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.pgproxy import DatabaseProxy, Held, database_proxy
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def main_line(databases: None) -> Iterator[DatabaseProxy]:
    with database_proxy("default") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def ledger_line(databases: None) -> Iterator[DatabaseProxy]:
    with database_proxy("ledger") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def cuttable(start_gateway_for_module: StartGateway, main_line: DatabaseProxy, ledger_line: DatabaseProxy) -> Gateway:
    """A gateway whose databases can be taken away."""
    return start_gateway_for_module(DATABASE_URL=main_line.url, LEDGER_DATABASE_URL=ledger_line.url)


@pytest.fixture
def caller(cuttable: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    return a_caller(cuttable, model)


def test_without_its_ledger_it_refuses_and_sends_nothing(
    caller: Caller, ledger_line: DatabaseProxy, sandbox: Sandbox
) -> None:
    ledger_line.cut()
    attempts = Attempts()
    with (
        caller.sdk(http_client=attempts.client, max_retries=2) as client,
        pytest.raises(openai.InternalServerError) as refusal,
    ):
        client.chat.completions.create(**caller.completion())
    assert (refusal.value.status_code, refusal.value.code) == (503, "service_unavailable")
    assert refusal.value.response.headers["retry-after"] == "1"
    assert (len(attempts), sandbox.requests()) == (3, [])
    assert caller.gateway.get("/readyz") == (503, b'{"status":"unavailable","failing":["ledger","database"]}')
    assert caller.gateway.get("/livez")[0] == 200
    ledger_line.restore()
    eventually(lambda: caller.post().status_code == 200)
    assert ledger.held_by(caller.tenant) == 0


def test_a_stream_outlives_the_ledger_and_is_settled_when_it_is_back(
    caller: Caller, ledger_line: DatabaseProxy
) -> None:
    knobs = {"tokens": 10, "chunk_ms": 40}
    ledger_line.hold("settle", Held.CALLS)  # lost with the line, should the stream be over before it is cut
    with (
        caller.sdk() as client,
        client.chat.completions.create(**caller.completion(stream=True, knobs=knobs)) as stream,
    ):
        next(stream)
        ledger_line.cut()
        assert len(list(stream)) >= 10
    assert ledger.usages_of(caller.tenant) == []
    assert ledger.holds_of(caller.tenant) == 1
    ledger_line.restore()
    record = ledger.only_usage_of(caller.tenant)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 10, False)
    assert ledger.held_by(caller.tenant) == 0
    eventually(lambda: caller.post().status_code == 200)


def test_without_its_main_database_it_trusts_what_it_knows_for_a_while(
    caller: Caller, main_line: DatabaseProxy, model: Model
) -> None:
    stranger = a_caller(caller.gateway, model)
    assert caller.ask().choices
    main_line.cut()
    assert caller.ask().choices, "a known key is served"
    assert stranger.post().status_code == 503, "a key that would have to be read is not"
    eventually(lambda: caller.post().status_code == 503, within_s=15, every_s=0.25)
    assert caller.post().json()["error"]["code"] == "service_unavailable"
    main_line.restore()
    eventually(caller.gateway.is_ready)
    assert caller.ask().choices
    assert stranger.ask().choices
