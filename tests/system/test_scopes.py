"""Budgets and limits of every scope hold for whom they are meant and for nobody else, and end as they should."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import openai
import pytest
from django.db import connections

from billing.actions import prices, tiers, usage
from billing.models import Budget, Price, TierLimit
from compliance.models import Subject
from gateway.models import Model
from tests import factories
from tests.factories import THE_SYSTEM, a_budget
from tests.factories.compliance import a_subject
from tests.system import books, ledger
from tests.system.clients import HELLO, Caller, a_caller, served
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

LARGE_NANO, SMALL_NANO = 1_000, 10  # per output token; input is free, so that costs are tokens
TOKENS = 10
COST = TOKENS * LARGE_NANO
ALICE, BOB = "alice@acme.example", "bob@acme.example"
_numbers = itertools.count()


def a_price(nano: int, **fields: int) -> dict[str, int]:
    """`nano` per output token."""
    return {"input_nano": 0, "output_nano": nano * 1_000_000, **fields}


@dataclass(frozen=True)
class Models:
    """What the sandbox serves here, at prices of its own. `tiered` has a price of the tiers flex and priority, too;
    `searching` one of web searches, and a context size."""

    large: Model
    small: Model
    tiered: Model
    searching: Model
    reasoning: Model


@pytest.fixture(scope="module")
def models(gateway: Gateway, sandbox_process: Sandbox) -> Models:
    def a_model(price: dict[str, int], upstream_model: str = "sandbox-large", **fields: Any) -> Model:
        own = factories.a_provider(sandbox_process.base_url)
        model = factories.a_model(own, upstream_model=upstream_model, price=price, **fields)
        tiers_of[model.name] = own.slug
        return model

    tiers_of: dict[str, str] = {}
    made = Models(
        large=a_model(a_price(LARGE_NANO)),
        small=a_model(a_price(SMALL_NANO), "sandbox-small"),
        tiered=a_model(a_price(LARGE_NANO)),
        searching=a_model(a_price(LARGE_NANO, search_nano=777), context_tokens=5_000),
        reasoning=a_model(a_price(LARGE_NANO), hidden_reasoning=True),
    )
    for tier, nano in (("flex", LARGE_NANO // 2), ("priority", 3 * LARGE_NANO)):
        price = Price(provider=tiers_of[made.tiered.name], model="sandbox-large", service_tier=tier, **a_price(nano))
        prices.add(price=price, by=THE_SYSTEM)
    served(gateway, made.reasoning)  # the last one that was made
    caller = a_caller(gateway, made.tiered)
    eventually(lambda: caller.post(caller.body(service_tier="priority", max_tokens=1)).status_code == 200)
    return made


@pytest.fixture
def acme(gateway: Gateway, sandbox: Sandbox, models: Models) -> Caller:
    """A tenant that has declared the tag `feature`, with a key for everything, who asks the large model."""
    caller = a_caller(gateway, models.large, tier={"output_tokens_cap": 3_000})
    factories.a_tag(caller.tenant)
    return caller


def ask(caller: Caller, *, knobs: dict[str, Any] | None = None, **fields: Any) -> httpx2.Response:
    """A completion of TOKENS tokens."""
    sandbox = {"tokens": TOKENS, **(knobs or {})}
    return caller.post(caller.body(**{"max_tokens": TOKENS, "sandbox": sandbox, **fields}))


def code_of(answer: httpx2.Response) -> str:
    """Empty: it was answered."""
    return "" if answer.status_code == 200 else str(answer.json()["error"]["code"])


def record_of(answer: httpx2.Response) -> dict[str, Any]:
    return ledger.usage_of(answer.headers["x-request-id"])


def room_for(requests: int) -> int:
    """Nano-dollars for so many of `ask`, and half of another one."""
    return requests * COST + COST // 2


# --- budgets ---------------------------------------------------------------------------------------------------------


def of_alice(caller: Caller) -> dict[str, Any]:
    return {"end_user": a_subject(caller.tenant, ALICE).surrogate}


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        pytest.param(of_alice, {"safety_identifier": ALICE}, {"safety_identifier": BOB}, id="an end user"),
        pytest.param(of_alice, {"user": ALICE}, {}, id="an end user, named as user"),
        pytest.param({"each": "end_user"}, {"user": ALICE}, {"user": BOB}, id="each end user"),
        pytest.param({"each": "end_user"}, {}, {"user": BOB}, id="those who name nobody together"),
        pytest.param(
            {"tag": "feature", "tag_value": "chat"},
            {"metadata": {"feature": "chat", "team": "x"}},
            {"metadata": {"feature": "mail"}},
            id="a value of a tag",
        ),
        pytest.param(
            {"tag": "feature", "each": "tag"},
            {"metadata": {"feature": "chat"}},
            {"metadata": {"feature": "mail"}},
            id="each value of a tag",
        ),
        pytest.param(
            {"tag": "feature", "each": "tag"}, {"metadata": {"feature": "chat"}}, {}, id="none without the tag"
        ),
    ],
)
def test_a_budget_holds_for_whom_it_is_meant(
    acme: Caller,
    scope: dict[str, Any] | Callable[[Caller], dict[str, Any]],
    inside: dict[str, Any],
    outside: dict[str, Any],
) -> None:
    fields = scope(acme) if callable(scope) else scope
    budget = a_budget(acme.tenant, limit_nano=room_for(2), period="day", **fields)
    assert [code_of(ask(acme, **inside)) for _ in range(3)] == ["", "", "insufficient_quota"]
    assert code_of(ask(acme, **outside)) == ""
    used = ledger.used_of_each(budget)
    assert sorted(used.values()) == ([COST, 2 * COST] if "each" in fields and outside else [2 * COST])
    assert ledger.held_by(acme.tenant) == 0


@pytest.mark.parametrize("scope", [{"model": "large"}, {"each": "model"}], ids=["a model", "each model"])
def test_a_budget_of_a_model_does_not_bind_another(acme: Caller, models: Models, scope: dict[str, Any]) -> None:
    fields = {"model": models.large.name} if "model" in scope else scope
    a_budget(acme.tenant, limit_nano=room_for(1), **fields)
    assert [code_of(ask(acme)) for _ in range(2)] == ["", "insufficient_quota"]
    assert code_of(ask(acme, model=models.small.name)) == ""


@pytest.mark.parametrize("each", [False, True], ids=["one", "each"])
@pytest.mark.parametrize("scope", ["application", "environment", "api_key"])
def test_a_budget_of_a_key_its_application_or_environment(acme: Caller, scope: str, each: bool) -> None:
    other = a_caller(acme.gateway, acme.model, tenant=acme.tenant, environment="production")
    whose = {"application": acme.application, "environment": acme.key.environment, "api_key": acme.key}
    fields: dict[str, Any] = {"each": scope} if each else {scope: whose[scope]}
    a_budget(acme.tenant, limit_nano=room_for(1), **fields)
    assert [code_of(ask(acme)) for _ in range(2)] == ["", "insufficient_quota"]
    assert [code_of(ask(other)) for _ in range(2)] == ["", "insufficient_quota" if each else ""]


def test_nested_budgets_are_charged_all_or_none(acme: Caller) -> None:
    books.with_budgets(acme)
    tight = a_budget(acme.tenant, limit_nano=room_for(2), each="end_user", period="total")
    answers = [ask(acme, user=ALICE, metadata={"feature": "chat"}) for _ in range(4)]
    assert [code_of(answer) for answer in answers] == ["", "", "insufficient_quota", "insufficient_quota"]
    for budget in Budget.objects.filter(tenant=acme.tenant):
        assert sum(ledger.used_of_each(budget).values()) == 2 * COST, budget
    assert tight.name in answers[-1].json()["error"]["message"]
    assert ledger.held_by(acme.tenant) == 0


def test_beyond_the_bound_end_users_share_one_limit(gateway: Gateway, sandbox: Sandbox, models: Models) -> None:
    caller = a_caller(gateway, models.large, tier={"separate_meters_most": 2})
    factories.a_tag(caller.tenant)
    users = a_budget(caller.tenant, each="end_user", limit_nano=room_for(2))
    for user in ("a", "b"):
        assert code_of(ask(caller, user=user)) == ""
    assert [code_of(ask(caller, user=user)) for user in "cde"] == ["", "", "insufficient_quota"]
    assert code_of(ask(caller, user="a")) == "", "who has a meter keeps it"
    of_tag = a_budget(caller.tenant, each="tag", tag="feature", limit_nano=room_for(9))
    eventually(lambda: ask(caller, user="b", metadata={"feature": "new"}) and ledger.used_of_each(of_tag))
    used = ledger.used_of_each(users)
    assert used[f"{users.meter_name}#"] == 2 * COST, "a new value of a tag takes nobody away from a meter of their own"
    assert set(ledger.used_of_each(of_tag)) == {f"{of_tag.meter_name}#"}


# --- what happens then -----------------------------------------------------------------------------------------------


def test_a_budget_that_downgrades_has_the_cheaper_model_answer(acme: Caller, sandbox: Sandbox, models: Models) -> None:
    budget = a_budget(acme.tenant, limit_nano=room_for(1), mode="downgrade", downgrade_to=models.small.name)
    first, second = ask(acme), ask(acme)
    assert "x-portcullis-downgraded-to" not in first.headers
    assert second.headers["x-portcullis-downgraded-to"] == models.small.name
    assert second.headers["x-portcullis-model"].endswith("/sandbox-small")
    assert sandbox.last_body()["model"] == "sandbox-small"
    assert [record_of(answer)["served_model"] for answer in (first, second)] == ["", models.small.name]
    assert record_of(second)["model"] == models.large.name
    assert record_of(second)["cost_nano"] == TOKENS * SMALL_NANO
    assert ledger.used_of_each(budget) == {budget.meter_name: COST + TOKENS * SMALL_NANO}


def test_a_stream_is_downgraded_too(acme: Caller, models: Models) -> None:
    a_budget(acme.tenant, limit_nano=1, mode="downgrade", downgrade_to=models.small.name)
    with acme.sdk() as client:
        stream = client.chat.completions.create(**acme.completion(stream=True, knobs={"tokens": 3}))
        assert stream.response.headers["x-portcullis-downgraded-to"] == models.small.name
        assert {chunk.model for chunk in stream} == {"sandbox-small"}
    (record,) = books.balanced(acme)
    assert (record["served_model"], record["cost_nano"]) == (models.small.name, 3 * SMALL_NANO)


def forbidden(caller: Caller, models: Models) -> str:
    """The key may not use the cheaper model."""
    type(caller.key).objects.filter(pk=caller.key.pk).update(allowed_models=[models.large.name])
    return models.small.name


def unknown(caller: Caller, models: Models) -> str:
    return "nobody-serves-this"


def spent(caller: Caller, models: Models) -> str:
    """A hard budget has no room for the cheaper model either."""
    a_budget(caller.tenant, model=models.small.name, limit_nano=TOKENS * SMALL_NANO - 1)
    return models.small.name


def itself(caller: Caller, models: Models) -> str:
    return models.large.name


@pytest.mark.parametrize("why", [forbidden, unknown, spent, itself])
def test_where_nothing_cheaper_can_answer_it_is_refused(
    acme: Caller, sandbox: Sandbox, models: Models, why: Callable[[Caller, Models], str]
) -> None:
    a_budget(acme.tenant, limit_nano=1, mode="downgrade", downgrade_to=why(acme, models))
    assert code_of(ask(acme)) == "insufficient_quota"
    assert sandbox.requests() == []
    assert (ledger.holds_of(acme.tenant), ledger.held_by(acme.tenant)) == (0, 0)


def test_one_downgrade_leads_to_the_next(acme: Caller, models: Models) -> None:
    a_budget(acme.tenant, limit_nano=1, mode="downgrade", model=models.large.name, downgrade_to=models.tiered.name)
    a_budget(acme.tenant, limit_nano=1, mode="downgrade", model=models.tiered.name, downgrade_to=models.small.name)
    assert ask(acme).headers["x-portcullis-downgraded-to"] == models.small.name


def test_a_soft_budget_flags_what_goes_beyond_it(acme: Caller) -> None:
    budget = a_budget(acme.tenant, limit_nano=room_for(1), mode="soft", name="Grün & soft")
    first, second = ask(acme), ask(acme)
    assert "x-portcullis-over-budget" not in first.headers
    assert second.headers["x-portcullis-over-budget"] == "Gr?n & soft"
    assert [record_of(answer)["over_budget"] for answer in (first, second)] == [False, True]
    assert ledger.used_of_each(budget) == {budget.meter_name: 2 * COST}


def test_an_override_holds_at_once_and_ends_by_itself(acme: Caller) -> None:
    budget = a_budget(acme.tenant, limit_nano=1)
    assert code_of(ask(acme)) == "insufficient_quota"
    override = factories.an_override(budget, dollars="1", ends_in=timedelta(seconds=3))
    eventually(lambda: code_of(ask(acme)) == "")
    eventually(lambda: code_of(ask(acme)) == "insufficient_quota", within_s=10)
    assert time.time() >= override.ends_at.timestamp()


# --- limits of a tier ------------------------------------------------------------------------------------------------


def with_limit(caller: Caller, scope: str, measure: str, limit: int, per: str = "minute") -> None:
    """Adds a limit to the tier of the caller, who is asked for the first time after that."""
    row = TierLimit(tier=caller.tenant.subscription.tier, scope=scope, measure=measure, per=per, limit=limit)
    tiers.add_limit(limit=row, by=THE_SYSTEM)


@pytest.mark.parametrize(
    ("scope", "words"),
    [("key", "of this key"), ("application", "of this application"), ("tenant", "tokens per")],
    ids=["key", "application", "tenant"],
)
def test_a_limit_of_a_tier_is_its_owners(acme: Caller, scope: str, words: str) -> None:
    with_limit(
        acme, scope, "output_tokens" if scope == "tenant" else "requests", 2 * TOKENS if scope == "tenant" else 2
    )
    sibling = factories.a_key(acme.application)[1]
    assert [code_of(ask(acme)) for _ in range(2)] == ["", ""]
    refused = ask(acme)
    assert code_of(refused) == "rate_limit_exceeded"
    assert words in refused.json()["error"]["message"]
    assert 0 < int(refused.headers["retry-after-ms"]) <= 30_000
    assert int(refused.headers["retry-after"]) == -(-int(refused.headers["retry-after-ms"]) // 1000)
    of_sibling = ask(acme) if scope == "tenant" else _ask_with(acme, sibling)
    assert code_of(of_sibling) == ("" if scope == "key" else "rate_limit_exceeded")


def _ask_with(caller: Caller, secret: str) -> httpx2.Response:
    return caller.post(caller.body(max_tokens=TOKENS), headers={"Authorization": f"Bearer {secret}"})


def test_each_end_user_has_the_limit(acme: Caller) -> None:
    with_limit(acme, "end_user", "requests", 2)
    assert [code_of(ask(acme, user=ALICE)) for _ in range(3)] == ["", "", "rate_limit_exceeded"]
    assert [code_of(ask(acme, user=BOB)) for _ in range(2)] == ["", ""]
    assert code_of(ask(acme)) == "", "those who name nobody have one together"


@pytest.mark.parametrize("measure", ["input_tokens", "output_tokens", "tokens"])
def test_token_limits_of_a_kind(acme: Caller, measure: str) -> None:
    with_limit(acme, "key", measure, 100, "day")
    wide = ask(acme, max_tokens=101, messages=[{"role": "user", "content": "word " * 120}])
    assert code_of(wide) == "rate_limit_exceeded"
    assert wide.headers["x-should-retry"] == "false"
    assert "more than the limit of 100" in wide.json()["error"]["message"]
    assert code_of(ask(acme)) == ""


# --- what needs a price or a bound -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "served_in", "nano", "sent"),
    [
        pytest.param({"service_tier": "flex"}, "flex", LARGE_NANO // 2, "flex", id="flex"),
        pytest.param({"service_tier": "priority"}, "priority", 3 * LARGE_NANO, "priority", id="priority"),
        pytest.param({"service_tier": "priority"}, "default", LARGE_NANO, "priority", id="fell back"),
        pytest.param({"service_tier": "auto"}, "priority", 3 * LARGE_NANO, "auto", id="auto"),
        pytest.param({}, "default", LARGE_NANO, "default", id="none asked for"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_it_is_charged_in_the_tier_that_served_it(
    acme: Caller,
    sandbox: Sandbox,
    models: Models,
    asked: dict[str, str],
    served_in: str,
    nano: int,
    sent: str,
    streamed: bool,
) -> None:
    answer = ask(acme, model=models.tiered.name, knobs={"service_tier": served_in}, stream=streamed, **asked)
    record = record_of(answer)
    assert (record["cost_nano"], record["service_tier"]) == (TOKENS * nano, served_in)
    assert sandbox.last_body()["service_tier"] == sent


def test_a_tier_without_a_price_is_refused(acme: Caller, sandbox: Sandbox, models: Models) -> None:
    with acme.sdk() as client, pytest.raises(openai.BadRequestError, match="has no price") as refusal:
        client.chat.completions.create(model=models.tiered.name, messages=HELLO, service_tier="scale")
    assert refusal.value.param == "service_tier"
    assert sandbox.requests() == []


def test_with_one_price_the_tier_is_left_to_the_upstream(acme: Caller, sandbox: Sandbox) -> None:
    ask(acme)
    assert "service_tier" not in sandbox.last_body()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"web_search_options": {}}, "web_search_options", id="a search without a price"),
        pytest.param({"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "modalities", id="audio"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
            "messages",
            id="a file for a model whose context is not known",
        ),
    ],
)
def test_what_has_no_price_or_no_bound_is_refused(
    acme: Caller, sandbox: Sandbox, fields: dict[str, Any], param: str
) -> None:
    answer = ask(acme, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert sandbox.requests() == []


def test_a_search_costs_what_a_search_costs(acme: Caller, models: Models) -> None:
    answer = ask(acme, model=models.searching.name, web_search_options={})
    assert record_of(answer)["cost_nano"] == COST + 777
    assert record_of(ask(acme, model=models.searching.name))["cost_nano"] == COST


def test_a_file_is_held_for_as_all_that_the_model_takes(acme: Caller, sandbox: Sandbox, models: Models) -> None:
    with_limit(acme, "key", "input_tokens", 5_000, "day")
    message = {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}
    first = ask(acme, model=models.searching.name, messages=[message])
    assert code_of(first) == ""
    again = ask(acme, model=models.searching.name, messages=[message])
    assert code_of(again) == "rate_limit_exceeded", "its hold is the whole context, however small the file is"


@pytest.mark.parametrize("hidden", [False, True], ids=["in slices", "the whole cap"])
def test_a_model_that_reasons_in_secret_holds_the_whole_cap(
    acme: Caller, sandbox: Sandbox, models: Models, hidden: bool
) -> None:
    model = models.reasoning if hidden else models.large
    with acme.sdk() as client:
        fields = acme.completion(model=model.name, stream=True, knobs={"tokens": 50, "chunk_ms": 40})
        with client.chat.completions.create(**fields) as stream:
            next(iter(stream))
            assert ledger.held_output_of(acme.tenant) == (3_000 if hidden else 1_024)


# --- who it was ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["safety_identifier", "user"])
def test_end_users_are_on_record_as_surrogates_only(acme: Caller, sandbox: Sandbox, field: str) -> None:
    identifier = f"carol.{next(_numbers)}.{time.time_ns()}@acme.example"
    a_budget(acme.tenant, each="end_user", limit_nano=room_for(1))
    fields: dict[str, Any] = {field: identifier, "metadata": {"feature": "chat"}}
    first, refused = ask(acme, **fields), ask(acme, **fields)
    assert code_of(refused) == "insufficient_quota"
    record = record_of(first)
    assert record["end_user"] == Subject.objects.get(tenant=acme.tenant).surrogate
    assert record["tags"] == {"feature": "chat"}
    assert tables_with(record["end_user"]), "this looks where it is"
    usage.empty_outbox()
    assert tables_with(record["end_user"])
    assert tables_with(identifier) == []
    assert tables_with(identifier.partition("@")[0]) == []
    assert tables_with(identifier.encode().hex()) == [], "nor as bytes"
    sent = str(sandbox.last_body())
    assert identifier not in sent
    assert record["end_user"] not in sent


def tables_with(text: str) -> list[str]:
    """The tables of all databases in which any row has it."""
    found = []
    for alias in ("default", "ledger", "keys"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT EXISTS (SELECT FROM {table} AS t WHERE strpos(t::text, %s) > 0)", [text])
                if cursor.fetchone()[0]:
                    found.append(f"{alias}.{table}")
    return found
