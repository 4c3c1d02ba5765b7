"""The data plane as an ASGI application: at which moments a client may leave, and what happens inside then."""

import asyncio
import json
from typing import Any

import pytest
from django.db import connections

from accounts.models import Tenant
from gateway.http import asgi
from gateway.providers import openai
from tests.integration.data.world import Client, Message, Story, World, there


def records_of(tenant: Tenant) -> list[dict[str, Any]]:
    with connections["ledger"].cursor() as cursor:
        cursor.execute(
            "SELECT record::text FROM usage_outbox WHERE (record ->> 'tenant_id')::bigint = %s ORDER BY seq",
            [tenant.pk],
        )
        return [json.loads(record) for (record,) in cursor.fetchall()]


def held_by(tenant: Tenant) -> tuple[int, int]:
    """How many requests are admitted and not settled, and what the meters hold."""
    with connections["ledger"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM hold WHERE tenant_id = %s", [tenant.pk])
        (holds,) = cursor.fetchone()
        cursor.execute("SELECT coalesce(sum(held), 0) FROM meter WHERE tenant_id = %s", [tenant.pk])
        return int(holds), int(cursor.fetchone()[0])


async def upstream(world: World) -> dict[str, Any]:
    """The counts of the sandbox, once it has nothing to do any more."""
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.sandbox_url}/_sandbox/stats?running=0") as answer,
    ):
        return dict(await answer.json())


def test_it_works(story: Story) -> None:
    async def tell(world: World) -> None:
        whole, streamed = world.request(), world.request(stream=True)
        await whole.run()
        await streamed.run()
        assert (whole.status, streamed.status) == (200, 200)
        assert streamed.body.endswith(b"data: [DONE]\n\n")
        records = await there(records_of, world.tenant)
        assert [record["request_id"] for record in records] == [whole.request_id, streamed.request_id]
        assert [record["outcome"] for record in records] == ["completed", "completed"]

    story(tell)


@pytest.mark.parametrize("moment", [0, 1, 2, 3], ids=["head", "first piece", "second piece", "third piece"])
def test_a_client_may_leave_while_any_piece_of_a_stream_is_sent_to_it(story: Story, moment: int) -> None:
    """Also while the head is sent, when the generator of the stream has not begun to run."""

    async def tell(world: World) -> None:
        client = world.request(stream=True, sandbox={"tokens": 200, "chunk_ms": 20})

        async def stall(message: Message) -> None:
            if len(client.sent) == moment:
                client.leave()
                await asyncio.Event().wait()

        client.before_sending = stall
        await client.run()
        assert len(client.sent) == moment
        assert await upstream(world) == {"running": 0, "completed": 0, "cancelled": 1, "failed": 0}

    story(tell)


def test_what_a_client_left_behind_is_settled(story: Story) -> None:
    tenants: list[Tenant] = []

    async def tell(world: World) -> None:
        tenants.append(world.tenant)
        for moment in range(3):
            client = world.request(stream=True, sandbox={"tokens": 200, "chunk_ms": 20})

            async def stall(message: Message, client: Client = client, moment: int = moment) -> None:
                if len(client.sent) == moment:
                    client.leave()
                    await asyncio.Event().wait()

            client.before_sending = stall
            await client.run()

    story(tell)
    assert [record["outcome"] for record in records_of(tenants[0])] == ["client_left"] * 3
    assert held_by(tenants[0]) == (0, 0)


def test_a_client_that_stops_reading_is_taken_for_gone_before_its_hold_is_swept(story: Story) -> None:
    tenants: list[Tenant] = []

    async def tell(world: World) -> None:
        tenants.append(world.tenant)
        client = world.request(stream=True, sandbox={"tokens": 200, "chunk_ms": 20})

        async def stall(message: Message) -> None:
            if len(client.sent) == 3:
                await asyncio.Event().wait()

        client.before_sending = stall
        await client.run()
        assert (await upstream(world))["cancelled"] == 1

    story(tell)
    (record,) = records_of(tenants[0])
    assert (record["outcome"], record["estimated"]) == ("client_left", True)
    assert held_by(tenants[0]) == (0, 0)


def test_a_client_that_leaves_when_all_is_said_has_been_served(story: Story) -> None:
    async def tell(world: World) -> None:
        client = world.request()

        async def leave(message: Message) -> None:
            if message["type"] == "http.response.body":
                client.leave()

        client.before_sending = leave
        await client.run()
        (record,) = await there(records_of, world.tenant)
        assert record["outcome"] == "completed"
        again = world.request()
        await again.run()
        assert again.status == 200

    story(tell)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_fault_of_the_gateway_is_a_500_that_tells_nothing_and_holds_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    def broken(*args: Any, **kwargs: Any) -> bytes:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(openai, "request_body", broken)
    tenants: list[Tenant] = []

    async def tell(world: World) -> None:
        tenants.append(world.tenant)
        client = world.request(stream=streamed)
        await client.run()
        assert client.status == 500
        error = json.loads(client.body)["error"]
        assert (error["type"], error["code"]) == ("internal_error", "internal_error")
        assert b"secret" not in client.body

    story(tell)
    (record,) = records_of(tenants[0])
    assert (record["outcome"], record["status"], record["cost_nano"]) == ("failed", 500, 0)
    assert held_by(tenants[0]) == (0, 0)


def test_before_the_start_and_after_the_end_it_says_so(story: Story) -> None:
    async def tell(world: World) -> None:
        world.app.plane = None
        client = world.request()
        await client.run()
        headers = dict(client.sent[0]["headers"])
        assert (client.status, headers[b"retry-after"]) == (503, b"1")

    story(tell)


def test_more_requests_at_once_than_it_can_bear_are_turned_away_unread(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(world: World) -> None:
        monkeypatch.setattr(asgi, "MOST_IN_FLIGHT", 2)
        slow = [world.request(sandbox={"latency_ms": 300}) for _ in range(2)]
        running = [asyncio.create_task(client.run()) for client in slow]
        while world.plane.in_flight < 2:
            await asyncio.sleep(0.005)
        third = world.request()
        await third.run()
        assert (third.status, json.loads(third.body)["error"]["code"]) == (503, "service_unavailable")
        await asyncio.gather(*running)
        assert [client.status for client in slow] == [200, 200]
        assert world.plane.in_flight == 0

    story(tell)


def test_while_draining_new_requests_are_turned_away(story: Story) -> None:
    async def tell(world: World) -> None:
        world.plane.draining = True
        client = world.request()
        await client.run()
        assert (client.status, json.loads(client.body)["error"]["code"]) == (503, "service_unavailable")

    story(tell)
