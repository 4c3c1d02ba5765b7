"""A thousand requests at once, from two servers, for the last cents of four nested budgets."""

import asyncio
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from accounts.models import Tenant
from billing.models import Budget
from compliance.selectors import find
from gateway.models import Model, Provider
from tests import factories
from tests.system import books, crowd, ledger
from tests.system.clients import Caller, served
from tests.system.conftest import StartGateway
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

REQUESTS = 1000
WAVE = 150
SIZES = (10, 20, 50)
NANO_PER_TOKEN = 1_000
PRICE = {"input_nano": 0, "output_nano": NANO_PER_TOKEN * 1_000_000}
"""Input is free, so that a request may cost exactly its `max_tokens`."""

TENANT_TOKENS, APPLICATION_TOKENS, KEY_TOKENS, END_USER_TOKENS = 14_000, 8_011, 4_503, 2_407
END_USERS = 8

REFUSED = 429


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Four keys of two applications of one tenant, which all have budgets, at two servers."""

    callers: list[Caller]
    dice: random.Random

    def requests(self, count: int, *, share: int) -> list[crowd.Asked]:
        """Requests of all sizes by everybody, each of which uses one `share`-th of the tokens that it asks for."""
        return [self._request(self.dice.choice(SIZES), share=share) for _ in range(count)]

    def _request(self, size: int, *, share: int) -> crowd.Asked:
        caller = self.dice.choice(self.callers)
        user = f"user-{self.dice.randrange(END_USERS)}"
        return crowd.Asked(caller, caller.body(user=user, max_tokens=size, sandbox={"tokens": size // share}))


@pytest.fixture(scope="module")
def pair(gateway: Gateway, start_gateway_for_module: StartGateway) -> list[Gateway]:
    return [gateway, start_gateway_for_module()]


@pytest.fixture(scope="module")
def priced(provider: Provider, pair: list[Gateway]) -> Model:
    model = factories.a_model(factories.a_provider(provider.base_url), price=PRICE)
    for gateway in pair:
        served(gateway, model)
    return model


@pytest.fixture
def contest(pair: list[Gateway], priced: Model, sandbox: Sandbox) -> Contest:
    tenant = factories.a_tenant()
    a_budget(TENANT_TOKENS, tenant=tenant)
    a_budget(END_USER_TOKENS, tenant=tenant, each=Budget.Each.END_USER)
    callers = []
    for application in (factories.an_application(tenant), factories.an_application(tenant)):
        a_budget(APPLICATION_TOKENS, tenant=tenant, application=application)
        for _ in range(2):
            key, secret = factories.a_key(application)
            a_budget(KEY_TOKENS, tenant=tenant, api_key=key)
            for gateway in pair:
                callers.append(
                    Caller(
                        gateway=gateway,
                        model=priced.name,
                        tenant=tenant,
                        application=application,
                        key=key,
                        secret=secret,
                    )
                )
    return Contest(callers=callers, dice=random.Random(2026))


def a_budget(tokens: int, *, tenant: Tenant, **scope: Any) -> None:
    factories.a_budget(tenant, period="total", limit_nano=tokens * NANO_PER_TOKEN, **scope)


def test_nothing_is_overspent_and_nothing_refused_that_fits(contest: Contest, sandbox: Sandbox) -> None:
    """All cost what they may cost, so what a budget once had free it either spends or still has."""
    requests = contest.requests(REQUESTS, share=1)
    statuses = asyncio.run(crowd.ask(requests, at_once=REQUESTS))
    assert set(statuses) == {200, REFUSED}
    assert sandbox.wait_for_running(0)["completed"] == statuses.count(200)
    are_within_limits(contest)
    nothing_fits_that_was_refused(requests, statuses)


def test_what_was_held_and_not_used_is_free_again(contest: Contest) -> None:
    """All cost half of what they may cost: the rest goes to others, until nobody can be served any more."""
    admitted = WAVE
    while admitted:
        requests = contest.requests(WAVE, share=2)
        statuses = asyncio.run(crowd.ask(requests, at_once=WAVE))
        assert set(statuses) <= {200, REFUSED}
        admitted = statuses.count(200)
    are_within_limits(contest)
    nothing_fits_that_was_refused(requests, statuses)


def are_within_limits(contest: Contest) -> None:
    """Every budget, and each end user's, has used what its requests cost, and no more than its limit."""
    books.balanced(contest.callers[0])
    for budget in Budget.objects.filter(tenant=contest.callers[0].tenant):
        assert all(used <= budget.limit_nano for used in ledger.used_of_each(budget).values()), budget


def nothing_fits_that_was_refused(requests: list[crowd.Asked], statuses: list[int]) -> None:
    """No refused request would be admitted now; nor when it came, as what is free only ever became less."""
    budgets = list(Budget.objects.filter(tenant=requests[0].caller.tenant))
    used = {budget.pk: ledger.used_of_each(budget) for budget in budgets}
    for asked, status in zip(requests, statuses, strict=True):
        if status == REFUSED:
            meters = ((budget, _meter(budget, asked)) for budget in budgets if _matches(budget, asked.caller))
            left_nano = min(budget.limit_nano - used[budget.pk].get(meter, 0) for budget, meter in meters)
            assert left_nano < asked.body["max_tokens"] * NANO_PER_TOKEN, asked


def _matches(budget: Budget, caller: Caller) -> bool:
    return budget.application in (None, caller.application) and budget.api_key in (None, caller.key)


def _meter(budget: Budget, asked: crowd.Asked) -> str:
    if not budget.each:
        return budget.meter_name
    return f"{budget.meter_name}#{_surrogate(asked.caller.tenant.pk, asked.body['user'])}"


@cache
def _surrogate(tenant_id: int, name: str) -> str:
    person = find(tenant_id=tenant_id, external_id=name)
    assert person is not None, "whoever is named in a request is enrolled before it is admitted"
    return person.surrogate
