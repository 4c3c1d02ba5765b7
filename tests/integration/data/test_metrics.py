"""`/metrics`: what it counts, and who may see it."""

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from billing import ledger_health
from config.asgi import libpq_params
from gateway.http import exposition
from tests.factories.compliance import a_content_policy
from tests.integration.data.conversations import decided
from tests.integration.data.world import Client, Story, World, there


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "KEPT_S", -1.0)


async def scraped(world: World, *, address: str = "127.0.0.1", secret: str = "", **headers: str) -> Client:
    client = world.request(path="/metrics")
    client.method, client.address, client.secret, client.extra = "GET", address, secret, headers
    await client.run()
    return client


async def figures(world: World) -> dict[str, float]:
    """Values by name, with the labels that tell them apart."""
    found = {}
    for family in text_string_to_metric_families((await scraped(world)).body.decode()):
        for sample in family.samples:
            labels = ",".join(value for label, value in sample.labels.items() if label != "process")
            assert sample.labels["process"].isdecimal()
            found[f"{sample.name.removeprefix('portcullis_')}({labels})"] = sample.value
    return found


def test_it_works(story: Story) -> None:
    async def tell(world: World) -> None:
        before = await figures(world)
        assert before["requests_in_flight()"] == 1
        for fields in ({}, {"stream": True}, {"model": "nobody-serves-this"}):
            await world.request(**fields).run()
        stranger = world.request()
        stranger.secret = "sk-nothing"
        await stranger.run()
        after = await figures(world)
        assert after["requests_total(,completed)"] == 2
        assert after["requests_total(model_not_found,refused)"] == 1
        assert after["requests_total(invalid_api_key,refused)"] == 1
        assert after["request_duration_seconds_count()"] == after["overhead_seconds_bucket(+Inf)"] == 2
        assert after["request_duration_seconds_sum()"] > 0
        assert (after["streams()"], after["faults_total()"]) == (0, 0)
        assert 0 <= after["snapshot_age_seconds()"] < 10
        assert after["resident_memory_bytes()"] > 10**7
        assert after["ledger_backlog(admissions)"] == after["ledger_backlog(settlements)"] == 0
        assert after["ledger_readable()"] == 1
        assert after["outbox_records()"] >= 2

    story(tell)


def test_what_pins_the_ledger_is_seen(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_health.now, "__kwdefaults__", {"older_than_s": 0.0})

    async def tell(world: World) -> None:
        with psycopg.connect(**libpq_params("ledger"), autocommit=True) as session:
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            session.execute("SELECT 1")
            found = await figures(world)
        assert found["ledger_pins()"] >= 1
        assert found["ledger_pinned_seconds()"] > 0

    story(tell)


def test_without_its_ledger_the_rest_is_still_told(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise psycopg.OperationalError("down")

    monkeypatch.setattr(ledger_health, "now", down)

    async def tell(world: World) -> None:
        found = await figures(world)
        assert found["ledger_readable()"] == 0
        assert "outbox_records()" not in found
        assert found["requests_in_flight()"] == 1

    story(tell)


@pytest.mark.parametrize(
    ("address", "secret", "forwarded", "status"),
    [
        ("127.0.0.1", "", False, 200),
        ("10.1.2.3", "", False, 200),
        ("fd00::1", "", False, 200),
        ("203.0.113.9", "", False, 404),
        ("203.0.113.9", "wrong", False, 404),
        ("203.0.113.9", "the-token", False, 200),
        ("", "", False, 404),
        ("10.1.2.3", "", True, 404),
        ("10.1.2.3", "the-token", True, 200),
    ],
    ids=["loopback", "private", "private IPv6", "public", "wrong", "token", "none", "through a proxy", "both"],
)
def test_who_may_see_them(
    story: Story, settings: Settings, address: str, secret: str, forwarded: bool, status: int
) -> None:
    settings.METRICS_TOKEN = "the-token"
    headers = {"x-forwarded-for": "203.0.113.9"} if forwarded else {}

    async def tell(world: World) -> None:
        assert (await scraped(world, address=address, secret=secret, **headers)).status == status

    story(tell)


def test_no_token_is_none(story: Story, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""

    async def tell(world: World) -> None:
        assert (await scraped(world, address="203.0.113.9", secret="")).status == 404

    story(tell)


def test_labels_are_words_of_the_gateway(story: Story) -> None:
    async def tell(world: World) -> None:
        for path in ("/v1/secret-path", "/secret-path"):
            client = world.request(path=path, model="secret-model")
            await client.run()
        assert b"secret" not in (await scraped(world)).body

    story(tell)


def test_what_is_stored_and_what_is_not_is_counted_by_reason(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(a_content_policy, world.tenant)
        await world.request().run()
        waiting = await figures(world)
        assert waiting["content_queue()"] == 1
        assert waiting["content_lag_seconds()"] > 0
        await decided(world)
        after = await figures(world)
        assert after["content_decisions_total(no_subject)"] == 1
        assert after["content_queue()"] == after["content_queue_bytes()"] == 0
        assert after["content_decisions_lost_total()"] == 0

    story(tell)


def test_what_guards_find_is_counted(story: Story) -> None:
    async def tell(world: World) -> None:
        await world.request(messages=[{"role": "user", "content": "Write to ada@example.com"}]).run()
        after = await figures(world)
        assert after["guard_findings_total(log,prompt,personal_data)"] == 1
        assert after["guarding_seconds_count()"] == 1
        assert after["guarding_seconds_sum()"] > 0
        assert after["guard_decisions_lost_total()"] == 0

    story(tell)
