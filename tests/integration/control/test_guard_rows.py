"""For a key the narrowest guard policy that fits holds, with the tenant's own words and patterns."""

from typing import Any

import pytest

from accounts.models import ApiKey, Tenant
from gateway import guard_rows
from gateway.guards.base import Action
from gateway.guards.defaults import TERMS
from tests.factories import a_key, a_tenant, an_application
from tests.factories.guards import a_guard_dictionary, a_guard_pattern, a_guard_policy, a_guard_rule

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

WIDTHS = ("platform", "platform dev", "tenant", "tenant dev", "application", "application dev")
"""From the widest to the narrowest."""


@pytest.fixture
def key() -> ApiKey:
    return a_key(tenant=a_tenant(), environment="dev")[0]


def a_policy(width: str, key: ApiKey, **fields: Any) -> None:
    what, _, environment = width.partition(" ")
    tenant = None if what == "platform" else key.tenant
    application = key.application if what == "application" else None
    a_guard_policy(tenant, application=application, environment=environment, name=width, **fields)


def name_of_policy(key: ApiKey) -> str:
    policy = guard_rows.narrowest(key)
    return policy.name if policy else ""


@pytest.mark.parametrize("narrowest", range(len(WIDTHS)), ids=WIDTHS)
def test_the_narrowest_holds(key: ApiKey, narrowest: int) -> None:
    for width in WIDTHS[: narrowest + 1]:
        a_policy(width, key)
    assert name_of_policy(key) == WIDTHS[narrowest]


def test_what_does_not_fit_is_passed_over(key: ApiKey) -> None:
    a_policy("tenant", key)
    a_policy("application dev", key, active=False)
    a_guard_policy(key.tenant, environment="production", name="production")
    a_guard_policy(key.tenant, application=an_application(key.tenant), name="another application")
    a_guard_policy(a_tenant("umbrella"), environment="dev", name="umbrella")
    assert name_of_policy(key) == "tenant"


def test_without_any_the_one_in_the_code_holds(key: ApiKey) -> None:
    guarding = guard_rows.guarding_for(key)
    assert (guarding.policy_id, guarding.terms) == (0, TERMS)
    assert len(guarding.key) == 32


def test_rules_that_are_off_are_left_out(key: ApiKey) -> None:
    rules = (a_guard_rule("secrets", Action.REDACT), a_guard_rule("personal_data", Action.OFF))
    a_guard_policy(key.tenant, rules=rules)
    assert [terms.guard for terms in guard_rows.guarding_for(key).terms] == ["secrets"]


def test_a_tenants_own_words_and_patterns_come_with_it(key: ApiKey) -> None:
    a_guard_policy()  # the platform's own
    a_guard_pattern(key.tenant, name="EMPLOYEE")
    a_guard_pattern(a_tenant("umbrella"), name="THEIRS")
    a_guard_dictionary(key.tenant, name="projects", words=("tellurium",))
    a_guard_dictionary(key.tenant, name="resting", words=("polonium",), active=False)
    guarding = guard_rows.guarding_for(key)
    assert [pattern.name for pattern in guarding.patterns] == ["EMPLOYEE"]
    assert [words.name for words in guarding.dictionaries] == ["projects"]


def test_each_tenant_has_a_key_of_its_own(key: ApiKey) -> None:
    other, _ = a_key(tenant=a_tenant("umbrella"))
    second, _ = a_key(tenant=Tenant.objects.get(pk=key.tenant.pk))
    keys = [guard_rows.guarding_for(each).key for each in (key, other, second)]
    assert keys[0] == keys[2] != keys[1]
