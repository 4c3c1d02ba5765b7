"""Every change of what the gateway decides by raises a revision, however it was made."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actions import rotations
from accounts.models import SecretClaim, Tenant
from billing.actions import budgets, tags, tiers
from billing.models import AttributionTag, BudgetOverride, Price, Subscription, TierLimit
from gateway.actions import providers
from gateway.models import GuardRule, PolicyRevision, ProviderCredential
from gateway.models.policy import GLOBAL_SCOPE
from tests.factories import THE_SYSTEM, a_budget, a_key, a_model, a_provider, a_tenant, a_tier, an_application
from tests.factories.compliance import a_content_policy
from tests.factories.guards import a_guard_dictionary, a_guard_pattern, a_guard_policy, a_guard_rule

pytestmark = pytest.mark.django_db


def revision(scope: int) -> int:
    row = PolicyRevision.objects.filter(scope=scope).first()
    return row.revision if row else 0


def a_credential() -> ProviderCredential:
    return providers.set_credential(provider=a_provider("http://127.0.0.1:1/v1"), credential="x" * 20, by=THE_SYSTEM)


def an_override() -> BudgetOverride:
    override = BudgetOverride(
        budget=a_budget(a_tenant()), limit_nano=1, ends_at=timezone.now() + timedelta(days=1), reason="launch"
    )
    return budgets.override(override=override, by=THE_SYSTEM)


def a_rotation() -> SecretClaim:
    return rotations.rotate(key=a_key()[0], by=THE_SYSTEM)


def a_tag() -> AttributionTag:
    return tags.declare(tag=AttributionTag(tenant=a_tenant(), key="feature"), by=THE_SYSTEM)


def a_tier_limit() -> TierLimit:
    return tiers.add_limit(
        limit=TierLimit(tier=a_tier(), scope="key", measure="requests", per="minute", limit=5), by=THE_SYSTEM
    )


def a_price() -> Price:
    a_model(a_provider("http://127.0.0.1:1/v1"))
    return Price.objects.all()[0]


def a_saved_rule(tenant: Tenant | None) -> GuardRule:
    return a_guard_policy(tenant, rules=(a_guard_rule(),)).rules.get()


TENANTS_OWN: list[tuple[str, Callable[[], Any], Callable[[Any], int]]] = [
    ("accounts_tenant", a_tenant, lambda row: row.pk),
    ("accounts_application", an_application, lambda row: row.tenant_id),
    ("accounts_apikey", lambda: a_key()[0], lambda row: row.tenant_id),
    ("accounts_retiringsecret", lambda: a_rotation().replaces, lambda row: row.tenant_id),
    ("accounts_secretclaim", lambda: a_rotation(), lambda row: row.tenant_id),
    ("billing_subscription", lambda: Subscription.objects.get(tenant=a_tenant()), lambda row: row.tenant_id),
    ("billing_budget", lambda: a_budget(a_tenant()), lambda row: row.tenant_id),
    ("billing_budgetoverride", an_override, lambda row: row.tenant_id),
    ("billing_attributiontag", a_tag, lambda row: row.tenant_id),
    ("compliance_contentpolicy", lambda: a_content_policy(a_tenant()), lambda row: row.tenant_id),
    ("gateway_guardpolicy", lambda: a_guard_policy(a_tenant()), lambda row: row.tenant_id),
    ("gateway_guardrule", lambda: a_saved_rule(a_tenant()), lambda row: row.tenant_id),
    ("gateway_guarddictionary", lambda: a_guard_dictionary(a_tenant()), lambda row: row.tenant_id),
    ("gateway_guardpattern", lambda: a_guard_pattern(a_tenant()), lambda row: row.tenant_id),
]
SHARED: list[tuple[str, Callable[[], Any]]] = [
    ("billing_tier", a_tier),
    ("billing_tierlimit", a_tier_limit),
    ("billing_price", a_price),
    ("gateway_provider", lambda: a_provider("http://127.0.0.1:1/v1")),
    ("gateway_providercredential", a_credential),
    ("gateway_model", lambda: a_model(a_provider("http://127.0.0.1:1/v1"))),
    ("gateway_deployment", lambda: a_model(a_provider("http://127.0.0.1:1/v1")).deployments.get()),
    ("gateway_guardpolicy", a_guard_policy),
    ("gateway_guardrule", lambda: a_saved_rule(None)),
]


@pytest.mark.parametrize(("table", "make", "tenant_of"), TENANTS_OWN, ids=[row[0] for row in TENANTS_OWN])
def test_a_row_changed_by_sql_raises_its_tenants_revision(
    table: str, make: Callable[[], Any], tenant_of: Callable[[Any], int]
) -> None:
    row, other = make(), a_tenant()
    scope = tenant_of(row)
    before, others, shared = revision(scope), revision(other.pk), revision(GLOBAL_SCOPE)
    touch(table, row.pk)
    assert revision(scope) == before + 1
    assert (revision(other.pk), revision(GLOBAL_SCOPE)) == (others, shared)


@pytest.mark.parametrize(("table", "make"), SHARED, ids=[row[0] for row in SHARED])
def test_a_shared_row_changed_by_sql_raises_the_global_revision(table: str, make: Callable[[], Any]) -> None:
    row = make()
    before = revision(GLOBAL_SCOPE)
    touch(table, row.pk)
    assert revision(GLOBAL_SCOPE) == before + 1


def test_a_deleted_row_raises_its_tenants_revision() -> None:
    budget = a_budget(a_tenant())
    before = revision(budget.tenant_id)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_budget WHERE id = %s", [budget.pk])
    assert revision(budget.tenant_id) == before + 1


def test_every_table_that_a_principal_or_a_route_is_made_of_is_governed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'policy'")
        governed = {row[0] for row in cursor.fetchall()}
    assert governed == {table for table, *_ in (*TENANTS_OWN, *SHARED)}


def touch(table: str, pk: int) -> None:
    with connection.cursor() as cursor:
        key = "tenant_id" if table == "compliance_contentpolicy" else "id"
        cursor.execute(f"UPDATE {table} SET {key} = {key} WHERE {key} = %s", [pk])
