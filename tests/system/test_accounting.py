"""After a mixed run, usage records, meters and holds agree to the nano-dollar."""

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from django.db import connections
from django.db.models import Sum

from billing.actions import usage
from billing.ledger.models import Hold, Meter
from billing.models import Budget, UsageRecord
from gateway.models import Model
from tests.factories import a_budget, a_key, a_tenant, a_tier, an_application
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

REQUESTS = 2000
AT_ONCE = 40

KINDS: list[tuple[int, dict[str, Any]]] = [
    (40, {}),
    (20, {"stream": True}),
    (6, {"stream": True, "stream_options": {"include_usage": True}}),
    (4, {"n": 3}),
    (4, {"sandbox": {"cached_tokens": 3, "reasoning_tokens": 4}}),
    (4, {"sandbox": {"no_usage": True}}),
    (4, {"stream": True, "sandbox": {"no_usage": True}}),
    (4, {"stream": True, "sandbox": {"cut_after_chunks": 3, "chunk_ms": 1}}),
    (3, {"sandbox": {"status": 500}}),
    (2, {"sandbox": {"status": 429}}),
    (2, {"sandbox": {"cut": True}}),
    (2, {"sandbox": {"malformed": True}}),
    (2, {"temperature": 9}),
    (2, {"model": "no-such-model"}),
]


async def mixed_run(url: str, model: str, secrets: list[str]) -> int:
    """Sends REQUESTS requests of all kinds, and leaves some streams early; returns how many were answered with 429."""
    dice = random.Random(2026)
    kinds = dice.choices([fields for _, fields in KINDS], [weight for weight, _ in KINDS], k=REQUESTS)
    work = iter([(fields, dice.choice(secrets), dice.random() < 0.1) for fields in kinds])
    limited = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal limited
        for fields, secret, leaves in work:
            body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 60, **fields}
            if leaves and fields.get("stream"):
                body["sandbox"] = {"chunk_ms": 5}
            headers = {"Authorization": f"Bearer {secret}"}
            async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                limited += answer.status == 429
                if leaves and fields.get("stream"):
                    await answer.content.readany()
                    answer.close()
                    continue
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(AT_ONCE)))
    return limited


def test_usage_sums_to_what_the_budgets_say(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    tenant = a_tenant(tier=a_tier(output_tokens_cap=200))
    applications = [an_application(tenant), an_application(tenant)]
    issued = [a_key(application) for application in applications for _ in range(2)]
    whole = a_budget(tenant, period="total")
    parts = [a_budget(tenant, application=application, period="total") for application in applications]
    last = a_budget(tenant, dollars="0.003", api_key=issued[0][0], period="total")  # runs dry on the way

    limited = asyncio.run(mixed_run(gateway.url, model.name, [text for _, text in issued]))

    eventually(lambda: not Hold.objects.filter(tenant_id=tenant.pk).exists())
    eventually(lambda: counted(tenant.pk) >= REQUESTS, within_s=15)
    assert counted(tenant.pk) == REQUESTS
    records = UsageRecord.objects.filter(tenant_id=tenant.pk)
    assert used(whole) == cost(records) > 0
    for application, budget in zip(applications, parts, strict=True):
        assert used(budget) == cost(records.filter(application_id=application.pk)) > 0
    assert used(last) == cost(records.filter(api_key_id=issued[0][0].pk)) <= last.limit_nano
    assert all(meter.held == 0 for meter in Meter.objects.filter(tenant_id=tenant.pk))
    refused = records.filter(outcome="refused", code="insufficient_quota").aggregate(n=Sum("requests"))["n"]
    assert refused == limited > 0
    assert {"completed", "client_left", "cut", "upstream_error", "refused"} == set(
        records.values_list("outcome", flat=True)
    )


def counted(tenant_id: int) -> int:
    """How many requests of the tenant have reached the main database."""
    usage.empty_outbox()
    return UsageRecord.objects.filter(tenant_id=tenant_id).aggregate(n=Sum("requests"))["n"] or 0


def cost(records: Any) -> int:
    return int(records.aggregate(n=Sum("cost_nano"))["n"])


def used(budget: Budget) -> int:
    with connections["ledger"].cursor() as cursor:
        cursor.execute(
            "SELECT used FROM meter WHERE tenant_id = %s AND name = %s", [budget.tenant_id, budget.meter_name]
        )
        return int(cursor.fetchone()[0])
