"""A stream that names no limit is held for slice by slice: it goes on while budgets have room, and ends properly."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.allowance import SLICE_TOKENS
from gateway.models import Model, Provider
from tests import factories
from tests.system import books, ledger
from tests.system.clients import Caller, a_caller, served
from tests.system.conftest import StartGateway
from tests.system.pgproxy import Held, database_proxy
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

NANO_PER_TOKEN = 1_000
PRICE = {"input_nano": 0, "output_nano": NANO_PER_TOKEN * 1_000_000}
"""Input is free, so that costs are tokens."""

CAP = 4_000
LONG = {"tokens": 3_500, "chunks": 350, "chunk_ms": 2}


@pytest.fixture(scope="module")
def priced(gateway: Gateway, provider: Provider) -> Model:
    return served(gateway, factories.a_model(factories.a_provider(provider.base_url), price=PRICE))


@pytest.fixture
def acme(gateway: Gateway, sandbox: Sandbox, priced: Model) -> Caller:
    return a_caller(gateway, priced, tier={"output_tokens_cap": CAP})


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(event.removeprefix("data: ")) for event in text.split("\n\n") if event.startswith("data: {")]


def test_a_long_stream_is_extended_several_times_and_charged_exactly(acme: Caller, sandbox: Sandbox) -> None:
    budget = factories.a_budget(acme.tenant, period="total", limit_nano=CAP * NANO_PER_TOKEN)
    held = set()
    with acme.sdk() as client, client.chat.completions.create(**acme.completion(stream=True, knobs=LONG)) as stream:
        for number, _ in enumerate(stream):
            if number % 20 == 0:
                held.add(ledger.held_output_of(acme.tenant))
    assert {SLICE_TOKENS, 2 * SLICE_TOKENS, 3 * SLICE_TOKENS, CAP} <= held
    assert sandbox.last_body()["max_tokens"] == CAP, "the upstream is told what its tier allows"
    (record,) = books.balanced(acme)
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("completed", 3_500, False)
    assert ledger.used_of_each(budget) == {budget.meter_name: 3_500 * NANO_PER_TOKEN}


def test_a_slice_leaves_room_that_a_whole_cap_would_take(acme: Caller) -> None:
    factories.a_budget(acme.tenant, period="total", limit_nano=2 * SLICE_TOKENS * NANO_PER_TOKEN)
    assert acme.post(acme.body(stream=True, sandbox={"tokens": 10})).status_code == 200
    refused = acme.post(acme.body())
    assert refused.status_code == 429, "what is not streamed has to be held for as a whole"


@pytest.mark.parametrize(
    "knobs", [LONG, {"tokens": 3_500}, {"tokens": 3_500, "chunks": 7}], ids=["at a pace", "at once", "in large pieces"]
)
def test_a_stream_that_gets_no_more_ends_for_its_length_and_says_why(acme: Caller, knobs: dict[str, int]) -> None:
    limit_nano = (SLICE_TOKENS + SLICE_TOKENS // 2) * NANO_PER_TOKEN
    budget = factories.a_budget(acme.tenant, period="total", limit_nano=limit_nano)
    chunks = []
    with (
        acme.sdk() as client,
        client.chat.completions.create(**acme.completion(stream=True, knobs=knobs)) as stream,
        pytest.raises(openai.APIError) as ended,
    ):
        chunks.extend(stream)  # what came before the error stays
    assert (ended.value.code, ended.value.type) == ("insufficient_quota", "budget_exceeded")
    assert chunks[-1].choices[0].finish_reason == "length"
    (record,) = books.balanced(acme)
    assert (record["outcome"], record["code"], record["estimated"]) == ("over_budget", "insufficient_quota", True)
    assert record["output_tokens"] <= SLICE_TOKENS
    assert record["cost_nano"] == record["output_tokens"] * NANO_PER_TOKEN <= limit_nano
    assert ledger.used_of_each(budget) == {budget.meter_name: record["cost_nano"]}


def test_what_the_client_gets_is_what_it_is_charged_for(acme: Caller) -> None:
    """Every choice ends for its length; nothing comes after the error."""
    factories.a_budget(acme.tenant, period="total", limit_nano=3 * SLICE_TOKENS * NANO_PER_TOKEN)
    answer = acme.post(acme.body(stream=True, n=2, sandbox={"tokens": 3_500, "chunks": 700}))
    *pieces, ended, error = events_of(answer.text)
    assert [choice["finish_reason"] for choice in ended["choices"]] == ["length", "length"]
    assert [choice["index"] for choice in ended["choices"]] == [0, 1]
    assert (ended["id"], ended["object"], ended["model"]) == tuple(
        pieces[0][name] for name in ("id", "object", "model")
    )
    assert error["error"]["code"] == "insufficient_quota"
    assert "[DONE]" not in answer.text
    (record,) = books.balanced(acme)
    written = sum(len(piece["choices"][0]["delta"].get("content") or "") for piece in pieces)
    assert 0 < record["output_tokens"] <= 2 * SLICE_TOKENS
    assert written > 2 * record["output_tokens"], "a word has more than two letters"


def test_a_soft_budget_ends_no_stream(acme: Caller) -> None:
    budget = factories.a_budget(acme.tenant, period="total", limit_nano=1, mode="soft")
    assert "[DONE]" in acme.post(acme.body(stream=True, sandbox=LONG)).text
    (record,) = books.balanced(acme)
    assert (record["outcome"], record["over_budget"]) == ("completed", True)
    assert ledger.used_of_each(budget) == {budget.meter_name: 3_500 * NANO_PER_TOKEN}


def test_who_leaves_between_two_extensions_pays_for_what_was_written(acme: Caller, sandbox: Sandbox) -> None:
    books.with_budgets(acme)
    with acme.sdk() as client:
        fields = acme.completion(stream=True, knobs={**LONG, "chunk_ms": 5})
        with client.chat.completions.create(**fields) as stream:
            for _ in range(160):
                next(stream)
    (record,) = books.balanced(acme)
    upstream = sandbox.only_request()
    assert (record["outcome"], upstream["state"]) == ("client_left", "cancelled")
    assert 1_550 <= record["output_tokens"] <= upstream["tokens_sent"]


@pytest.fixture
def far(start_gateway: StartGateway, sandbox: Sandbox, priced: Model) -> Iterator[tuple[Caller, Any]]:
    """A caller of a gateway whose way to the ledger can be blocked."""
    with database_proxy("ledger") as line:
        gateway = start_gateway(LEDGER_DATABASE_URL=line.url)
        yield a_caller(gateway, priced, tier={"output_tokens_cap": CAP}), line


def test_a_stream_that_the_ledger_leaves_alone_is_charged_for_what_was_written(far: tuple[Caller, Any]) -> None:
    """It ends as soon as its slice is used up and nobody answers for the next one."""
    caller, line = far
    books.with_budgets(caller)
    line.hold("extend", Held.CALLS)
    answer = caller.post(caller.body(stream=True, sandbox=LONG))
    assert events_of(answer.text)[-1]["error"]["code"] == "service_unavailable"
    line.release()
    eventually(lambda: ledger.usages_of(caller.tenant), within_s=10)
    (record,) = books.balanced(caller)
    assert (record["outcome"], record["estimated"]) == ("cut", True)
    assert SLICE_TOKENS - 20 <= record["output_tokens"] <= SLICE_TOKENS
    assert record["cost_nano"] == record["output_tokens"] * NANO_PER_TOKEN
