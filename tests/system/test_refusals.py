"""Every refusal is the exception that the SDK's users expect, and is retried only where that can help."""

import asyncio
import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import openai
import pytest
from django.utils import timezone

from accounts import tokens
from accounts.actions import applications, keys, tenants
from accounts.models import ApiKey
from gateway.models import Model, Provider
from tests import factories
from tests.factories import THE_SYSTEM
from tests.system import ledger
from tests.system.clients import Attempts, Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system


def refused(caller: Caller, *, retries: int = 0, **fields: Any) -> tuple[openai.APIStatusError, int]:
    """The exception that a completion ends in, and how often the SDK tried."""
    attempts = Attempts()
    with (
        caller.sdk(http_client=attempts.client, max_retries=retries) as client,
        pytest.raises(openai.APIStatusError) as refusal,
    ):
        client.chat.completions.create(**caller.completion(**fields))
    assert refusal.value.request_id
    return refusal.value, len(attempts)


# --- who asks ------------------------------------------------------------------------------------------------------


def test_every_useless_key_gets_the_same_answer(acme: Caller) -> None:
    def a_used_key() -> ApiKey:
        return factories.a_key(acme.application)[0]

    def ended(end: Callable[[ApiKey], Any]) -> str:
        key, secret = factories.a_key(acme.application)
        end(key)
        return f"Bearer {secret}"

    rival = factories.a_tenant("umbrella")
    _, of_rival = factories.a_key(tenant=rival)
    tenants.suspend(tenant=rival, by=THE_SYSTEM)
    stopped = factories.an_application(factories.a_tenant())
    _, of_stopped = factories.a_key(stopped)
    applications.suspend(application=stopped, by=THE_SYSTEM)
    unknown, last = tokens.generate("dev").text, acme.secret[-1]
    expired, of_expired = factories.a_key(acme.application, expires_at=timezone.now() + timedelta(milliseconds=300))
    authorizations = {
        "missing": None,
        "empty": "",
        "no scheme": acme.secret,
        "basic": f"Basic {acme.secret}",
        "malformed": "Bearer sk-123456789",
        "mistyped": f"Bearer {acme.secret[:-1]}{'x' if last != 'x' else 'y'}",
        "another secret": f"Bearer {_with_secret_of(acme.secret, unknown)}",
        "unknown": f"Bearer {unknown}",
        "two": f"Bearer {acme.secret} {acme.secret}",
        "long": "Bearer " + "pcl_dev_" * 500,
        "revoked": ended(lambda key: keys.revoke(key=key, by=THE_SYSTEM)),
        "suspended": ended(lambda key: keys.suspend(key=key, by=THE_SYSTEM)),
        "of a suspended tenant": f"Bearer {of_rival}",
        "of a suspended application": f"Bearer {of_stopped}",
        "expired": f"Bearer {of_expired}",
    }
    assert expired.expires_at is not None
    eventually(lambda: timezone.now() > (expired.expires_at or timezone.now()))
    answers = {name: _answer(acme, authorization) for name, authorization in authorizations.items()}
    expected = answers["missing"]
    assert expected[0] == 401
    assert b"invalid_api_key" in expected[1]
    assert {name: answer for name, answer in answers.items() if answer != expected} == {}
    assert _answer(acme, f"bearer   {acme.secret}")[0] == 200, "the scheme's case and spaces do not matter"


def _with_secret_of(secret: str, other: str) -> str:
    """The public id of one key with the secret of another: well-formed, and known by its id."""
    body = "_".join([*secret.split("_")[:3], other.split("_")[3]])
    return f"{body}_{tokens._checksum(body)}"


def _answer(caller: Caller, authorization: str | None) -> tuple[int, bytes, frozenset[tuple[str, str]]]:
    """Status, body, and headers apart from those that differ each time."""
    import httpx2

    headers = {} if authorization is None else {"Authorization": authorization}
    with httpx2.Client(base_url=caller.gateway.url) as client:
        answer = client.post("/v1/chat/completions", json=caller.body(), headers=headers)
    # A key that is wrong by its form is refused with the body unread, which ends the connection.
    own = {"x-request-id", "request-id", "x-portcullis-decision", "date", "connection"}
    if answer.status_code == 200:
        return 200, b"", frozenset()
    return answer.status_code, answer.content, frozenset(kv for kv in answer.headers.items() if kv[0] not in own)


def test_an_unusable_key_is_not_tried_again(acme: Caller) -> None:
    keys.revoke(key=acme.key, by=THE_SYSTEM)
    error, attempts = refused(acme, retries=2)
    assert isinstance(error, openai.AuthenticationError)
    assert (error.status_code, error.code, attempts) == (401, "invalid_api_key", 1)


@pytest.mark.parametrize(
    "limits",
    [{"scopes": ["models"]}, {"allowed_networks": ["10.0.0.0/8", "2001:db8::/32"]}],
    ids=["scope", "network"],
)
def test_what_the_key_does_not_permit(gateway: Gateway, sandbox: Sandbox, model: Model, limits: dict[str, Any]) -> None:
    error, attempts = refused(a_caller(gateway, model, **limits), retries=2)
    assert isinstance(error, openai.PermissionDeniedError)
    assert (error.status_code, error.code, attempts) == (403, "permission_denied", 1)
    assert sandbox.requests() == []


def test_scopes_are_apart_and_networks_may_match(gateway: Gateway, model: Model) -> None:
    chatting = a_caller(gateway, model, scopes=["chat"], allowed_networks=["127.0.0.0/8"])
    assert chatting.ask().choices
    with chatting.sdk() as client, pytest.raises(openai.PermissionDeniedError):
        client.models.list()
    with a_caller(gateway, model, scopes=["models"]).sdk() as client:
        assert client.models.list().data


@pytest.mark.parametrize("allowed", [True, False], ids=["unknown", "not allowed"])
def test_a_model_that_is_not_there_for_the_key(gateway: Gateway, model: Model, allowed: bool) -> None:
    caller = a_caller(gateway, model, allowed_models=[] if allowed else ["another-model"])
    error, attempts = refused(caller, retries=2, model="nobody-serves-this" if allowed else model.name)
    assert isinstance(error, openai.NotFoundError)
    assert (error.status_code, error.code, attempts) == (404, "model_not_found", 1)


def test_refusals_are_on_record_and_cost_nothing(acme: Caller) -> None:
    refused(acme, model="nobody-serves-this")
    record = ledger.only_usage_of(acme.tenant)
    assert (record["outcome"], record["code"], record["requests"]) == ("refused", "model_not_found", 1)


# --- what is asked -------------------------------------------------------------------------------------------------


def test_an_invalid_body_names_its_field(acme: Caller) -> None:
    error, attempts = refused(acme, retries=2, temperature=2.1)
    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code, error.param) == (400, "invalid_request_error", "temperature")
    assert attempts == 1


def test_a_prompt_that_is_too_large(acme: Caller) -> None:
    error, attempts = refused(acme, retries=2, messages=[{"role": "user", "content": "x" * 50_001}])
    assert isinstance(error, openai.APIStatusError)
    assert (error.status_code, error.code, error.param) == (413, "request_too_large", "messages[0].content")
    assert attempts == 1


# --- how much is asked ---------------------------------------------------------------------------------------------


def use_up(caller: Caller, requests: int) -> None:
    """Sends `requests` at once, all of which are admitted."""

    async def story() -> None:
        async with caller.async_sdk() as client:
            await asyncio.gather(
                *(client.chat.completions.create(**caller.completion(max_tokens=1)) for _ in range(requests))
            )

    asyncio.run(story())


def test_the_eleventh_request_of_a_minute_is_refused_with_the_exact_wait(
    gateway: Gateway, sandbox: Sandbox, model: Model
) -> None:
    caller = a_caller(gateway, model, tier={"requests_per_minute": 10})
    begun = time.monotonic()
    use_up(caller, 10)
    error, _ = refused(caller)
    took_ms = (time.monotonic() - begun) * 1000
    assert isinstance(error, openai.RateLimitError)
    assert (error.status_code, error.code) == (429, "rate_limit_exceeded")
    wait_ms = int(error.response.headers["retry-after-ms"])
    assert 6000 - took_ms <= wait_ms <= 6000
    assert error.response.headers["retry-after"] == str(math.ceil(wait_ms / 1000))
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in error.response.headers
    assert "10 requests per minute" in error.message
    assert len(sandbox.requests()) == 10


def test_waiting_as_told_admits_and_waiting_less_does_not(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    """Asks all the time, because what happens at an instant between two is a matter of how busy the machine is."""
    caller = a_caller(gateway, model, tier={"requests_per_minute": 10})
    use_up(caller, 10)
    asked = time.monotonic()
    error, _ = refused(caller)
    answered = time.monotonic()
    wait_s = int(error.response.headers["retry-after-ms"]) / 1000
    with caller.sdk(max_retries=0) as client:
        while True:
            last_asked = time.monotonic()
            try:
                client.chat.completions.create(**caller.completion())
            except openai.RateLimitError:
                assert last_asked < answered + wait_s, "it was told to wait less"
            else:
                break
    assert time.monotonic() > asked + wait_s, "it was told to wait longer"


def test_the_sdk_waits_by_itself_and_then_succeeds(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = a_caller(gateway, model, tier={"requests_per_minute": 60})
    use_up(caller, 60)
    attempts = Attempts()
    with caller.sdk(http_client=attempts.client, max_retries=2) as client:
        assert client.chat.completions.create(**caller.completion()).choices
    assert len(attempts) == 2


def test_who_hammers_is_told_the_remaining_wait_each_time(gateway: Gateway, model: Model) -> None:
    caller = a_caller(gateway, model, tier={"requests_per_minute": 1})
    use_up(caller, 1)
    began = time.monotonic()
    waits = [int(refused(caller)[0].response.headers["retry-after-ms"]) for _ in range(20)]
    seconds = math.ceil(time.monotonic() - began) + 1
    assert waits == sorted(waits, reverse=True)
    assert 55_000 < waits[-1] <= waits[0] <= 60_000
    records = eventually(lambda: [r for r in ledger.usages_of(caller.tenant) if r["outcome"] == "refused"])
    eventually(lambda: sum(r["requests"] for r in ledger.usages_of(caller.tenant) if r["outcome"] == "refused") == 20)
    assert len(records) <= 2 * seconds, "refusals of a second make two records: by the ledger, and from memory"


def test_two_tenants_never_share_a_meter_but_a_tenants_keys_do(gateway: Gateway, model: Model) -> None:
    tier = factories.a_tier(requests_per_minute=3)
    acme, umbrella = (factories.a_tenant(slug, tier=tier) for slug in ("acme", "umbrella"))
    callers = [a_caller(gateway, model, tenant=tenant) for tenant in (acme, acme, umbrella)]
    use_up(callers[0], 3)
    assert refused(callers[1])[0].status_code == 429
    use_up(callers[2], 3)
    assert refused(callers[2])[0].status_code == 429


def test_two_gateways_share_a_tenants_meter(
    gateway: Gateway, start_gateway: StartGateway, sandbox: Sandbox, model: Model
) -> None:
    tenant = factories.a_tenant(tier=factories.a_tier(requests_per_minute=10))
    callers = [a_caller(where, model, tenant=tenant) for where in (gateway, start_gateway())]

    async def story() -> list[int]:
        async with callers[0].async_sdk() as here, callers[1].async_sdk() as there:
            calls = [
                client.chat.completions.with_raw_response.create(**callers[0].completion())
                for _ in range(15)
                for client in (here, there)
            ]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            return [getattr(answer, "status_code", 0) for answer in answers]

    statuses = asyncio.run(story())
    assert (statuses.count(200), statuses.count(429)) == (10, 20)
    assert len(sandbox.requests()) == 10


def test_tokens_per_minute(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = a_caller(gateway, model, tier={"tokens_per_minute": 1200})
    first = caller.ask(max_tokens=1000, knobs={"tokens": 900})
    error, _ = refused(caller, max_tokens=1000)
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, len(sandbox.requests())) == ("rate_limit_exceeded", 1)
    assert "tokens per minute" in error.message
    # 20 tokens a second; 1000 and the prompt are wanted, about 300 are left
    assert 30_000 < int(error.response.headers["retry-after-ms"]) < 40_000
    left = 1200 - first.usage.total_tokens
    assert int(error.response.headers["x-ratelimit-remaining-tokens"]) == pytest.approx(left, abs=25)
    assert caller.ask(max_tokens=100).choices, "what was held and not taken is given back"


def test_a_request_that_no_minute_has_room_for_is_not_tried_again(gateway: Gateway, model: Model) -> None:
    error, attempts = refused(a_caller(gateway, model, tier={"tokens_per_minute": 50}), retries=2, max_tokens=49)
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, attempts) == ("rate_limit_exceeded", 1)
    assert error.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in error.response.headers
    assert "max_tokens" in error.message


def test_requests_at_once(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = a_caller(gateway, model, tier={"concurrency": 2})

    async def story() -> openai.APIStatusError:
        async with caller.async_sdk() as client:
            calls = [
                asyncio.create_task(client.chat.completions.create(**caller.completion(knobs={"hang": True})))
                for _ in range(2)
            ]
            await asyncio.to_thread(sandbox.wait_for_running, 2)
            with pytest.raises(openai.RateLimitError) as refusal:
                await client.chat.completions.create(**caller.completion())
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            return refusal.value

    error = asyncio.run(story())
    assert (error.status_code, error.code) == (429, "rate_limit_exceeded")
    assert error.response.headers["retry-after"] == "1"
    eventually(lambda: ledger.holds_of(caller.tenant) == 0)
    assert caller.ask().choices


# --- what it costs -------------------------------------------------------------------------------------------------


def test_a_hard_budget_says_when_it_begins_anew(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    caller = a_caller(gateway, model)
    budget = factories.a_budget(caller.tenant, dollars="0.00001", name="Search", period="month")
    assert caller.ask(max_tokens=10, knobs={"tokens": 10}).choices
    error, attempts = refused(caller, retries=2, max_tokens=10)
    assert isinstance(error, openai.RateLimitError)
    assert (error.status_code, error.code, error.type) == (429, "insufficient_quota", "budget_exceeded")
    assert (attempts, error.response.headers["x-should-retry"]) == (1, "false")
    assert "retry-after" not in error.response.headers
    assert "'Search'" in error.message
    at = re.search(r"resets at (\S+Z)", error.message)
    assert at is not None
    resets_at = datetime.fromisoformat(at[1].replace("Z", "+00:00"))
    now = datetime.now(UTC)
    first_of_next = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert abs(resets_at - first_of_next) <= timedelta(seconds=1)
    assert error.response.headers["x-portcullis-budget-reset"] == at[1]
    used = ledger.used_of(caller.tenant, budget.meter_name)
    assert used == sum(record.get("cost_nano", 0) for record in ledger.usages_of(caller.tenant))
    assert round(float(error.response.headers["x-portcullis-budget-remaining"]) * 10**9) == budget.limit_nano - used
    assert len(sandbox.requests()) == 1


def test_what_no_period_can_pay_for_is_refused_without_advice_to_wait(gateway: Gateway, model: Model) -> None:
    caller = a_caller(gateway, model)
    factories.a_budget(caller.tenant, dollars="0.000000001", period="day")
    error, attempts = refused(caller, retries=2)
    assert (error.code, error.type, attempts) == ("insufficient_quota", "budget_exceeded", 1)
    assert "more than the whole budget" in error.message
    assert "resets" not in error.message
    assert "x-portcullis-budget-reset" in error.response.headers


def test_a_budget_that_is_used_up_gives_no_advice_to_ask_for_less(gateway: Gateway, model: Model) -> None:
    caller = a_caller(gateway, model)
    factories.a_budget(caller.tenant, dollars="0", name="Nothing", period="total")
    error, _ = refused(caller, max_tokens=1)
    assert "The budget 'Nothing' of $0.00 is used up." in error.message
    assert "max_tokens" not in error.message


def test_a_soft_budget_counts_and_admits(gateway: Gateway, model: Model) -> None:
    caller = a_caller(gateway, model)
    budget = factories.a_budget(caller.tenant, dollars="0.000000001", mode="soft")
    costs = [ledger.usage_of(caller.ask()._request_id)["cost_nano"] for _ in range(2)]
    assert ledger.used_of(caller.tenant, budget.meter_name) == sum(costs) > budget.limit_nano


def test_a_budget_of_an_application_binds_no_other(gateway: Gateway, model: Model) -> None:
    poor = a_caller(gateway, model)
    rich = a_caller(gateway, model, tenant=poor.tenant)
    factories.a_budget(poor.tenant, dollars="0.000000001", application=poor.application)
    assert refused(poor)[0].code == "insufficient_quota"
    assert rich.ask().choices


# --- upstreams -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("knobs", "status", "code", "retry_after"),
    [
        ({"status": 500}, 502, "upstream_error", None),
        ({"status": 503, "retry_after_s": 3}, 503, "upstream_error", "3"),
        ({"status": 429, "retry_after_s": 2}, 503, "upstream_error", "2"),
        ({"status": 429, "retry_after_s": 3600}, 503, "upstream_error", "60"),
        ({"status": 401}, 502, "upstream_error", None),
        ({"status": 404}, 502, "upstream_error", None),
    ],
    ids=["500", "503", "429", "429 for an hour", "401", "404"],
)
def test_an_upstream_that_refuses_costs_nothing(
    acme: Caller, knobs: dict[str, Any], status: int, code: str, retry_after: str | None, streamed: bool
) -> None:
    error, _ = refused(acme, knobs=knobs, stream=streamed)
    assert isinstance(error, openai.InternalServerError)
    assert (error.status_code, error.code) == (status, code)
    assert error.response.headers.get("retry-after") == retry_after
    assert "x-should-retry" not in error.response.headers
    record = ledger.usage_of(error.request_id or "")
    assert (record["outcome"], record["cost_nano"], record["estimated"]) == ("upstream_error", 0, False)
    assert ledger.held_by(acme.tenant) == 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_what_the_upstream_finds_wrong_is_passed_on(acme: Caller, streamed: bool) -> None:
    error, attempts = refused(acme, retries=2, stream=streamed, extra_body={"tool_choice": "perhaps"})
    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code, error.param) == (400, "invalid_request_error", "tool_choice")
    assert attempts == 1
    assert ledger.usage_of(error.request_id or "")["cost_nano"] == 0


@pytest.mark.parametrize(
    ("knobs", "status", "code"),
    [
        ({"cut": True}, 502, "upstream_error"),
        ({"cut_after_chunks": 1}, 502, "upstream_error"),
        ({"malformed": True}, 502, "upstream_error"),
    ],
    ids=["cut before the answer", "cut in the answer", "malformed"],
)
def test_an_upstream_that_may_have_worked_is_charged_by_estimate(
    acme: Caller, knobs: dict[str, Any], status: int, code: str
) -> None:
    error, _ = refused(acme, knobs=knobs)
    assert (error.status_code, error.code) == (status, code)
    record = ledger.usage_of(error.request_id or "")
    assert (record["outcome"], record["estimated"], record["output_tokens"]) == ("upstream_error", True, 0)
    assert record["cost_nano"] == record["input_tokens"] * 150 > 0
    assert ledger.held_by(acme.tenant) == 0


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_hangs(gateway: Gateway, sandbox: Sandbox, streamed: bool) -> None:
    model = factories.a_model(factories.a_provider(sandbox.base_url, read_timeout_ms=300))
    caller = a_caller(gateway, model)
    _wait_until_served(caller)
    error, attempts = refused(caller, retries=2, knobs={"hang": True}, stream=streamed)
    assert isinstance(error, openai.InternalServerError)
    assert (error.status_code, error.code, attempts) == (504, "upstream_timeout", 1)
    record = ledger.usage_of(error.request_id or "")
    assert (record["outcome"], record["estimated"]) == ("upstream_error", True)
    assert record["cost_nano"] > 0
    assert sandbox.only_request()["state"] == "cancelled"


def test_an_upstream_that_is_not_there(gateway: Gateway) -> None:
    model = factories.a_model(factories.a_provider("http://127.0.0.1:9/v1"))
    caller = a_caller(gateway, model)
    _wait_until_served(caller)
    error, _ = refused(caller)
    assert (error.status_code, error.code) == (503, "upstream_error")
    record = ledger.usage_of(error.request_id or "")
    assert (record["outcome"], record["cost_nano"], record["estimated"]) == ("upstream_error", 0, False)


def test_an_upstream_that_fails_is_tried_three_times_by_the_sdk(acme: Caller, sandbox: Sandbox) -> None:
    error, attempts = refused(acme, retries=2, knobs={"status": 500})
    assert (error.status_code, attempts, len(sandbox.requests())) == (502, 3, 3)


def _wait_until_served(caller: Caller) -> None:
    eventually(lambda: caller.request("GET", f"/v1/models/{caller.model}").status_code == 200, within_s=5)


def test_providers_do_not_share_credentials(gateway: Gateway, sandbox: Sandbox, provider: Provider) -> None:
    secret = factories.a_model(factories.a_provider(sandbox.base_url, credential="sk-upstream"))
    caller = a_caller(gateway, secret)
    _wait_until_served(caller)
    assert caller.ask().choices
    assert sandbox.only_request()["authorization_present"] is True
    sandbox.forget()
    open_model = factories.a_model(provider)
    open_caller = a_caller(gateway, open_model)
    _wait_until_served(open_caller)
    assert open_caller.ask().choices
    assert sandbox.only_request()["authorization_present"] is False, "a client's key never goes upstream"
