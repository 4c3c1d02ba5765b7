"""A change of policy holds in every gateway process at once: within 100 ms when notified, within 1 s when not."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from accounts.actions import keys, tenants
from accounts.models import ApiKey
from billing.actions import prices, tiers
from billing.models import Price
from gateway.actions import routes
from gateway.models import Model
from tests.factories import THE_SYSTEM, a_key, a_model, a_provider, a_tenant, a_tier
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

NOTIFIED_S = 0.1
POLLED_S = 1.0


@dataclass
class Scene:
    """A key's requests to one model, as the second of two gateways answers them."""

    client: httpx2.Client
    key: ApiKey
    model: Model

    def ask(self) -> httpx2.Response:
        body = {"model": self.model.name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        return self.client.post("/v1/chat/completions", json=body)

    def status(self) -> int:
        return self.ask().status_code

    def seconds_until(self, holds: Callable[[], bool]) -> float:
        """How long from now until a request shows that it holds."""
        began = time.perf_counter()
        while not holds():
            assert time.perf_counter() - began < 5, "the change never took effect"
        return time.perf_counter() - began


@pytest.fixture(scope="module")
def pair(gateway: Gateway, logs: Path) -> Iterator[dict[str, Gateway]]:
    """Two more gateways beside the one that all tests share: one is notified of changes, one only polls."""
    made = {
        "notified": Gateway(logs / "notified.log", FAILED_KEYS_PER_MINUTE="0"),
        "polling": Gateway(logs / "polling.log", FAILED_KEYS_PER_MINUTE="0", POLICY_NOTIFICATIONS="false"),
    }
    yield made
    for each in made.values():
        each.close()


@pytest.fixture(params=["notified", "polling"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(pair: dict[str, Gateway], how: str, sandbox_process: Sandbox) -> Iterator[Scene]:
    """Already answered once, so everything that it depends on is in the gateway's memory."""
    key, text = a_key(tenant=a_tenant())
    with httpx2.Client(base_url=pair[how].url, headers={"Authorization": f"Bearer {text}"}) as client:
        scene = Scene(client, key, a_model(a_provider(sandbox_process.base_url)))
        scene.seconds_until(lambda: scene.status() == 200)
        yield scene


def prove(scene: Scene, how: str, *changes: tuple[Callable[[], object], Callable[[], bool]]) -> None:
    """Makes each change and waits until it shows. Several, because the machine may be busy: the median counts."""
    took = []
    for change, shows in changes:
        change()
        took.append(scene.seconds_until(shows))
    if how == "notified":
        assert statistics.median(took) < NOTIFIED_S
    assert max(took) < POLLED_S


def by_sql(statement: str, *values: object) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)  # type: ignore[arg-type]

    return run


def test_suspending_a_key_takes_effect(scene: Scene, how: str) -> None:
    suspend = (lambda: keys.suspend(key=scene.key, by=THE_SYSTEM), lambda: scene.status() == 401)
    resume = (lambda: keys.resume(key=scene.key, by=THE_SYSTEM), lambda: scene.status() == 200)
    prove(scene, how, suspend, resume, suspend)


def test_suspending_a_tenant_takes_effect(scene: Scene, how: str) -> None:
    tenant = scene.key.tenant
    suspend = (lambda: tenants.suspend(tenant=tenant, by=THE_SYSTEM), lambda: scene.status() == 401)
    resume = (lambda: tenants.resume(tenant=tenant, by=THE_SYSTEM), lambda: scene.status() == 200)
    prove(scene, how, suspend, resume, suspend)


@pytest.mark.parametrize(
    ("table", "owner"),
    [
        pytest.param("accounts_apikey", lambda key: key.pk, id="key"),
        pytest.param("accounts_application", lambda key: key.application_id, id="application"),
        pytest.param("accounts_tenant", lambda key: key.tenant_id, id="tenant"),
    ],
)
def test_a_row_suspended_by_sql_takes_effect(
    scene: Scene, how: str, table: str, owner: Callable[[ApiKey], int]
) -> None:
    statement = f"UPDATE {table} SET status = %s WHERE id = %s"
    suspend = (by_sql(statement, "suspended", owner(scene.key)), lambda: scene.status() == 401)
    resume = (by_sql(statement, "active", owner(scene.key)), lambda: scene.status() == 200)
    prove(scene, how, suspend, resume, suspend)


def test_a_lowered_limit_takes_effect(scene: Scene, how: str) -> None:
    tier = scene.key.tenant.subscription.tier

    def lower(cap: int) -> Callable[[], None]:
        def run() -> None:
            tier.requests_per_minute = tier.requests_per_hour = tier.requests_per_day = cap
            tiers.change(tier=tier, by=THE_SYSTEM)

        return run

    def shows(cap: int) -> Callable[[], bool]:
        return lambda: int(scene.ask().headers["x-ratelimit-limit-requests"]) == cap

    prove(scene, how, *((lower(cap), shows(cap)) for cap in (9_000, 8_000, 7_000)))


def test_a_changed_route_takes_effect(scene: Scene, how: str) -> None:
    deployment = scene.model.deployments.get()
    large = Price(provider=deployment.provider.slug, model="sandbox-large", output_nano=1)
    prices.add(price=large, by=THE_SYSTEM)

    def lead_to(name: str) -> Callable[[], None]:
        def run() -> None:
            deployment.upstream_model = name
            routes.change_deployment(deployment=deployment, by=THE_SYSTEM)

        return run

    def shows(name: str) -> Callable[[], bool]:
        return lambda: scene.ask().headers["x-portcullis-model"].endswith(name)

    names = ("sandbox-large", "sandbox-small", "sandbox-large")
    prove(scene, how, *((lead_to(name), shows(name)) for name in names))


def test_a_changed_price_takes_effect(scene: Scene, how: str) -> None:
    model = scene.model.deployments.get()
    nothing_but_the_fee = (
        "UPDATE billing_price SET input_nano = 0, cached_input_nano = 0, output_nano = 0, request_nano = %s"
        " WHERE provider = %s AND model = %s"
    )

    def shows(fee: int) -> Callable[[], bool]:
        return lambda: Decimal(scene.ask().headers["x-portcullis-cost"]) * 10**9 == fee

    def charge(fee: int) -> Callable[[], None]:
        return by_sql(nothing_but_the_fee, fee, model.provider.slug, model.upstream_model)

    prove(scene, how, *((charge(fee), shows(fee)) for fee in (1_000, 2_000, 3_000)))


def test_a_new_budget_takes_effect(scene: Scene, how: str) -> None:
    insert = (
        "INSERT INTO billing_budget (tenant_id, name, period, mode, limit_nano, active, created_at,"
        " environment, model, end_user, tag, tag_value, each, downgrade_to)"
        " VALUES (%s, 'by hand', 'day', 'hard', 0, true, now(), '', '', '', '', '', '', '')"
    )
    remove = "DELETE FROM billing_budget WHERE tenant_id = %s"
    tenant_id = scene.key.tenant_id
    prove(
        scene,
        how,
        (by_sql(insert, tenant_id), lambda: scene.status() == 429),
        (by_sql(remove, tenant_id), lambda: scene.status() == 200),
        (by_sql(insert, tenant_id), lambda: scene.status() == 429),
    )


def test_a_change_of_another_tenant_leaves_this_one_alone(scene: Scene, how: str) -> None:
    tenants.suspend(tenant=a_tenant("umbrella", tier=a_tier()), by=THE_SYSTEM)
    assert scene.status() == 200
