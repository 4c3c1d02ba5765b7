"""Every write in the admin goes through an action: it leaves exactly one audit event, or a refusal in words."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.test import Client

from accounts.actions import keys, tenants
from accounts.models import ApiKey, Application, Tenant, User
from billing.actions import budgets
from billing.models import Budget, Price, Tier
from compliance.models import AuditEvent
from gateway.actions import providers
from gateway.credentials import credential_of
from gateway.models import Provider
from tests.factories import THE_SYSTEM, a_budget, a_key, a_model, a_provider, a_tenant, a_tier, an_application
from tests.factories.control import PASSWORD, an_admin, events_of
from tests.factories.upstreams import answering

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

TIER = {
    "name": "Gold",
    "slug": "gold",
    "requests_per_minute": 60,
    "requests_per_hour": 600,
    "requests_per_day": 6000,
    "tokens_per_minute": 100_000,
    "concurrency": 5,
    "output_tokens_cap": 1024,
    "max_messages": 100,
    "max_message_chars": 50_000,
    "max_prompt_chars": 100_000,
    "separate_meters_most": 10_000,
    "limits-TOTAL_FORMS": 0,
    "limits-INITIAL_FORMS": 0,
}
PROVIDER = {
    "name": "Upstream",
    "slug": "upstream",
    "base_url": "https://upstream.example/v1",
    "active": "on",
    "output_limit_field": "max_tokens",
    "source_kind": "typed",
    "connect_timeout_ms": 5000,
    "read_timeout_ms": 120_000,
    "total_timeout_ms": 600_000,
}
PRICE = {
    "provider": "upstream",
    "model": "large",
    "valid_from_0": "2026-01-01",
    "valid_from_1": "00:00:00",
    "input_nano": "2.5",
    "output_nano": "10",
    "cached_input_nano": "1.25",
    "cache_write_nano": "0",
    "request_nano": "0",
}
NO_DEPLOYMENTS = {"deployments-TOTAL_FORMS": 0, "deployments-INITIAL_FORMS": 0}


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


@pytest.fixture
def upstream() -> Provider:
    """The provider that PRICE is of."""
    return providers.add(provider=Provider(slug="upstream", name="U", base_url="http://127.0.0.1:9"), by=THE_SYSTEM)


def page(row: models.Model, name: str = "change") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"


def the_event_of(user: User) -> AuditEvent:
    (event,) = events_of(user)
    return event


def submit(client: Client, url: str, values: dict[str, Any]) -> None:
    """Posts a form that must be accepted."""
    response = client.post(url, values)
    errors = response.context["adminform"].form.errors if response.context and "adminform" in response.context else ""
    assert response.status_code == 302, errors


# --- create -------------------------------------------------------------------------------------------------------


def test_it_works(client: Client, person: User) -> None:
    values = {"name": "Acme", "slug": "acme", "time_zone": "Europe/Berlin"}
    submit(client, "/admin/accounts/tenant/add/", values)
    tenant = Tenant.objects.get(slug="acme")
    event = the_event_of(person)
    assert (event.action, event.target_id, event.tenant_id) == ("tenant.created", str(tenant.pk), tenant.pk)


def test_the_event_tells_who_from_where(client: Client, person: User) -> None:
    values = {"name": "Acme", "slug": "acme", "time_zone": "UTC"}
    response = client.post(
        "/admin/accounts/tenant/add/", values, headers={"User-Agent": "a browser"}, REMOTE_ADDR="192.0.2.9"
    )
    event = the_event_of(person)
    assert (event.ip, event.user_agent, event.request_id) == ("192.0.2.9", "a browser", response["X-Request-ID"])


def test_every_table_is_created_through_its_action(client: Client, person: User) -> None:
    tenant, tier, other = a_tenant(), a_tier(), an_admin()
    bare = tenants.open(tenant=Tenant(slug="umbrella", name="Umbrella"), by=THE_SYSTEM)
    provider = a_provider("http://127.0.0.1:9/v1")
    model = a_model(provider)
    forms: list[tuple[str, dict[str, Any], str]] = [
        ("accounts/application", {"tenant": tenant.pk, "name": "Bot", "slug": "bot"}, "application.created"),
        ("accounts/membership", {"tenant": tenant.pk, "user": other.pk, "role": "owner"}, "membership.created"),
        ("auth/group", {"name": "Auditors"}, "group.created"),
        ("billing/tier", TIER, "tier.created"),
        ("billing/subscription", {"tenant": bare.pk, "tier": tier.pk}, "subscription.created"),
        (
            "billing/budget",
            {"tenant": tenant.pk, "name": "All", "limit_nano": "12.50", "period": "month", "mode": "hard"},
            "budget.created",
        ),
        ("billing/attributiontag", {"tenant": tenant.pk, "key": "feature"}, "attributiontag.created"),
        ("gateway/provider", PROVIDER, "provider.created"),
        ("billing/price", PRICE, "price.created"),
        (
            "gateway/model",
            {"name": "large", "owned_by": "us", "tokenizer": "bytes", "image_tokens_most": 1, **NO_DEPLOYMENTS},
            "model.created",
        ),
        (
            "gateway/deployment",
            {"model": model.pk, "provider": provider.pk, "upstream_model": "other", "priority": 5},
            "deployment.created",
        ),
    ]
    for path, values, _ in forms:
        submit(client, f"/admin/{path}/add/", values)
    assert [event.action for event in events_of(person)] == [action for _, _, action in forms]


def test_dollars_become_nano_dollars_exactly(client: Client, person: User, upstream: Provider) -> None:
    submit(client, "/admin/billing/price/add/", {**PRICE, "input_nano": "0.000000001", "output_nano": "$1,234.50"})
    price = Price.objects.get(provider="upstream", model="large")
    assert (price.input_nano, price.output_nano, price.cached_input_nano) == (1, 1_234_500_000_000, 1_250_000_000)


@pytest.mark.parametrize(
    "dollars", ["2,5", "1.234,56", "1,23,456", "1234,567", "1,234,56", "2.", ".5", "$", "1 000", "٢"]
)
def test_commas_only_group_thousands(dollars: str, client: Client, person: User) -> None:
    response = client.post("/admin/billing/price/add/", {**PRICE, "input_nano": dollars})
    assert response.context["adminform"].form.errors["input_nano"] == ["Write dollars as 1234.56 or 1,234.56."]


@pytest.mark.parametrize("dollars", ["-1", "NaN", "inf", "1e400", "99999999999", "0.0000000001", "a lot", ""])
def test_nonsense_is_no_money(dollars: str, client: Client, person: User) -> None:
    response = client.post("/admin/billing/price/add/", {**PRICE, "input_nano": dollars})
    assert response.status_code == 200
    assert "input_nano" in response.context["adminform"].form.errors


# --- change -------------------------------------------------------------------------------------------------------


def test_a_change_leaves_one_event_with_both_values(client: Client, person: User) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    values = {"name": budget.name, "limit_nano": "20", "period": "month", "mode": "hard", "active": "on"}
    submit(client, page(budget), values)
    event = the_event_of(person)
    assert event.action == "budget.changed"
    assert (event.before, event.after) == ({"limit_nano": 10_000_000_000}, {"limit_nano": 20_000_000_000})


def test_saving_without_a_change_leaves_no_event(client: Client, person: User) -> None:
    tenant = a_tenant()
    submit(client, page(tenant), {"name": tenant.name, "slug": tenant.slug, "time_zone": tenant.time_zone})
    assert not events_of(person).exists()


def test_the_shown_limit_is_what_is_stored(client: Client, person: User) -> None:
    budget = a_budget(a_tenant(), dollars="0.000000015")
    assert 'value="0.000000015"' in client.get(page(budget)).content.decode()


def test_a_row_that_somebody_else_changed_meanwhile_is_not_overwritten(client: Client, person: User) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    seen = client.get(page(budget)).context["adminform"].form.fields["seen"].initial
    budget.limit_nano = 5
    budgets.change(budget=budget, by=THE_SYSTEM)
    values = {"name": "Mine", "limit_nano": "20", "period": "month", "mode": "hard", "seen": seen}
    response = client.post(page(budget), values)
    assert "change came first" in response.content.decode()
    budget.refresh_from_db()
    assert budget.limit_nano == 5


def test_deployments_are_written_inside_their_model(client: Client, person: User) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    model = a_model(provider)
    kept = model.deployments.get()
    values = {
        "name": model.name,
        "owned_by": model.owned_by,
        "tokenizer": model.tokenizer,
        "image_tokens_most": model.image_tokens_most,
        "active": "on",
        "deployments-TOTAL_FORMS": 2,
        "deployments-INITIAL_FORMS": 1,
        "deployments-0-id": kept.pk,
        "deployments-0-model": model.pk,
        "deployments-0-provider": provider.pk,
        "deployments-0-upstream_model": kept.upstream_model,
        "deployments-0-priority": 20,
        "deployments-0-active": "on",
        "deployments-1-model": model.pk,
        "deployments-1-provider": provider.pk,
        "deployments-1-upstream_model": "second",
        "deployments-1-priority": 1,
        "deployments-1-active": "on",
    }
    submit(client, page(model), values)
    assert [event.action for event in events_of(person)] == ["deployment.changed", "deployment.created"]
    assert list(model.deployments.values_list("upstream_model", flat=True)) == ["second", kept.upstream_model]

    values = {**values, "deployments-TOTAL_FORMS": 1, "deployments-0-DELETE": "on"}
    submit(client, page(model), values)
    assert list(events_of(person))[-1].action == "deployment.deleted"


def test_a_credential_goes_in_and_never_comes_out(client: Client, person: User) -> None:
    with answering({"sk-the-new-one-zzzz": 200}) as upstream:
        provider = a_provider(upstream.url, credential="sk-the-old-one-aaaa")
        replace = page(provider).removesuffix("change/") + "replace-credential/"
        client.post(replace, {"credential": "sk-the-new-one-zzzz", "reason": ""})
    assert credential_of(Provider.objects.get(pk=provider.pk)) == "sk-the-new-one-zzzz"
    assert [event.action.partition(".")[2] for event in events_of(person)] == ["created", "retired", "switched"]
    text = client.get(page(provider)).content.decode()
    assert "zzzz" in text
    assert "sk-the" not in text
    assert "sk-the" not in str(list(AuditEvent.objects.values_list("before", "after")))

    values = {**PROVIDER, "slug": provider.slug, "name": provider.name, "base_url": provider.base_url}
    submit(client, page(provider), values)
    assert credential_of(Provider.objects.get(pk=provider.pk)) == "sk-the-new-one-zzzz"


def test_a_key_is_changed_within_bounds(client: Client, person: User) -> None:
    key, _ = a_key()
    model = a_model(a_provider("http://127.0.0.1:9/v1"))
    values = {
        "name": "renamed",
        "scopes": ["chat"],
        "allowed_models": [model.name],
        "allowed_networks": "10.0.0.0/8\n2001:db8::/32",
        "environment": "production",
        "status": "revoked",
    }
    submit(client, page(key), values)
    key.refresh_from_db()
    assert (key.name, key.scopes, key.allowed_models) == ("renamed", ["chat"], [model.name])
    assert key.allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
    assert (key.environment, key.status) == ("dev", "active")
    assert the_event_of(person).action == "apikey.changed"


def test_a_network_that_is_none_is_refused_next_to_the_field(client: Client, person: User) -> None:
    key, _ = a_key()
    response = client.post(page(key), {"name": "x", "scopes": ["chat"], "allowed_networks": "10.0.0.0/99"})
    assert "is not a network" in str(response.context["adminform"].form.errors["allowed_networks"])


# --- delete -------------------------------------------------------------------------------------------------------


def test_a_deletion_leaves_one_event(client: Client, person: User) -> None:
    budget = a_budget(a_tenant())
    assert client.post(page(budget, "delete"), {"post": "yes"}).status_code == 302
    assert the_event_of(person).action == "budget.deleted"
    assert not Budget.objects.filter(pk=budget.pk).exists()


def test_what_is_in_use_is_not_deleted(client: Client, person: User) -> None:
    tier = a_tenant().subscription.tier
    response = client.post(page(tier, "delete"), {"post": "yes"})
    assert response.status_code == 200
    assert "protected" in response.content.decode()
    assert Tier.objects.filter(pk=tier.pk).exists()


@pytest.mark.parametrize("table", [Tenant, ApiKey, User], ids=lambda model: model.__name__)
def test_what_the_audit_log_names_is_never_deleted(table: type[models.Model], client: Client, person: User) -> None:
    a_key()
    row = table._default_manager.order_by("pk").last()
    assert row is not None
    assert client.post(page(row, "delete"), {"post": "yes"}).status_code == 403


def test_no_list_deletes_what_is_selected(client: Client, person: User) -> None:
    budget = a_budget(a_tenant())
    client.post("/admin/billing/budget/", {"action": "delete_selected", "_selected_action": budget.pk, "post": "yes"})
    assert Budget.objects.filter(pk=budget.pk).exists()


# --- buttons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "step", "status"),
    [
        pytest.param(a_tenant, "suspend", "suspended", id="suspend a tenant"),
        pytest.param(a_tenant, "close", "closed", id="close a tenant"),
        pytest.param(an_application, "suspend", "suspended", id="suspend an application"),
        pytest.param(lambda: a_key()[0], "suspend", "suspended", id="suspend a key"),
        pytest.param(lambda: a_key()[0], "revoke", "revoked", id="revoke a key"),
    ],
)
def test_a_step_is_confirmed_then_taken(make: Any, step: str, status: str, client: Client, person: User) -> None:
    row = make()
    assert client.get(page(row, step)).status_code == 200
    row.refresh_from_db()
    assert row.status == "active"
    client.post(page(row, step), {"reason": "ticket 12"})
    row.refresh_from_db()
    assert row.status == status
    assert (the_event_of(person).action, the_event_of(person).reason) == (
        f"{row._meta.model_name}.{status}",
        "ticket 12",
    )


def test_what_is_suspended_can_be_resumed(client: Client, person: User) -> None:
    for row in (a_tenant(), an_application(), a_key()[0]):
        client.post(page(row, "suspend"), {"reason": ""})
        client.post(page(row, "resume"), {"reason": ""})
        row.refresh_from_db()
        assert row.status == "active"


@pytest.mark.parametrize("step", ["close"])
def test_a_grave_step_wants_a_reason(step: str, client: Client, person: User) -> None:
    tenant = a_tenant()
    response = client.post(page(tenant, step), {"reason": ""})
    assert "required" in response.content.decode()
    tenant.refresh_from_db()
    assert tenant.status == "active"


def test_a_step_that_is_too_late_is_refused_in_words(client: Client, person: User) -> None:
    key, _ = a_key()
    keys.revoke(key=key, by=THE_SYSTEM)
    response = client.post(page(key, "suspend"), {"reason": "late"}, follow=True)
    assert "was revoked, which is for good" in response.content.decode()
    assert not events_of(person).exists()


def test_only_steps_that_make_sense_are_offered(client: Client, person: User) -> None:
    tenant = a_tenant()
    assert "/resume/" not in client.get(page(tenant)).content.decode()
    tenants.suspend(tenant=tenant, by=THE_SYSTEM)
    text = client.get(page(tenant)).content.decode()
    assert "/resume/" in text
    assert "/suspend/" not in text


# --- people -------------------------------------------------------------------------------------------------------


def test_a_person_is_added_with_a_password(client: Client, person: User) -> None:
    values = {"username": "wesker", "is_staff": "on", "password1": PASSWORD, "password2": PASSWORD}
    submit(client, "/admin/accounts/user/add/", values)
    assert User.objects.get(username="wesker").check_password(PASSWORD)
    assert the_event_of(person).action == "user.created"
    assert PASSWORD not in str(the_event_of(person).after)


def test_a_weak_password_is_refused(client: Client, person: User) -> None:
    values = {"username": "wesker", "password1": "password", "password2": "password"}
    response = client.post("/admin/accounts/user/add/", values)
    assert "too common" in response.content.decode()


def test_rights_are_changed_with_one_event(client: Client, person: User) -> None:
    group = Group.objects.create(name="Auditors")
    other = an_admin(is_superuser=False)
    values = {
        "username": other.username,
        "first_name": "Ada",
        "is_active": "on",
        "is_staff": "on",
        "groups": [group.pk],
    }
    submit(client, page(other), values)
    assert list(other.groups.all()) == [group]
    event = the_event_of(person)
    assert (event.action, event.after) == ("user.changed", {"groups": ["Auditors"]})


def test_nobody_locks_themselves_out(client: Client, person: User) -> None:
    response = client.post(page(person), {"username": person.username, "is_staff": "on", "is_superuser": "on"})
    assert "your own access" in response.content.decode()
    person.refresh_from_db()
    assert person.is_active


def test_a_password_is_set(client: Client, person: User) -> None:
    other = an_admin()
    client.post(page(other, "set_password"), {"password1": PASSWORD + "2", "password2": PASSWORD + "2"})
    other.refresh_from_db()
    assert other.check_password(PASSWORD + "2")
    assert the_event_of(person).action == "user.password_changed"


def test_ones_own_password_is_set_through_the_action(client: Client, person: User) -> None:
    new = PASSWORD + "2"
    values = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", values).status_code == 302
    assert the_event_of(person).action == "user.password_changed"
    assert client.get("/admin/").status_code == 200


def test_staff_cannot_take_over_a_superuser(client: Client) -> None:
    staff, superuser = an_admin(is_superuser=False), an_admin()
    staff.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client.force_login(staff)
    values = {"password1": PASSWORD + "2", "password2": PASSWORD + "2"}
    assert client.post(page(superuser, "set_password"), values).status_code == 403
    assert client.post(page(superuser), {"username": "mine"}).status_code == 403
    client.post(page(staff), {"username": staff.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"})
    staff.refresh_from_db()
    assert not staff.is_superuser


def test_a_group_is_changed_and_deleted_with_events(client: Client, person: User) -> None:
    group = Group.objects.create(name="Auditors")
    permission = Permission.objects.get(codename="view_tenant")
    submit(client, page(group), {"name": "Auditors", "permissions": [permission.pk]})
    client.post(page(group, "delete"), {"post": "yes"})
    changed, deleted = events_of(person)
    assert (changed.action, changed.after) == ("group.changed", {"permissions": ["accounts.view_tenant"]})
    assert deleted.action == "group.deleted"


# --- refusals -----------------------------------------------------------------------------------------------------


def test_what_an_action_refuses_is_shown_in_the_form(client: Client, person: User) -> None:
    tenant = a_tenant()
    tenants.close(tenant=tenant, by=THE_SYSTEM)
    response = client.post("/admin/accounts/application/add/", {"tenant": tenant.pk, "name": "Bot", "slug": "bot"})
    assert response.status_code == 200
    assert "takes no more applications" in response.content.decode()
    assert not Application.objects.filter(tenant=tenant).exists()


def test_a_budget_for_another_tenants_application_is_refused(client: Client, person: User) -> None:
    application, tenant = an_application(), a_tenant("umbrella")
    values = {"tenant": tenant.pk, "name": "All", "limit_nano": "1", "period": "day", "mode": "hard"}
    response = client.post("/admin/billing/budget/add/", {**values, "application": application.pk})
    assert "another tenant" in response.content.decode()


def test_djangos_own_log_stays_empty(client: Client, person: User) -> None:
    submit(client, "/admin/accounts/tenant/add/", {"name": "Acme", "slug": "acme", "time_zone": "UTC"})
    assert not LogEntry.objects.exists()


def test_tables_that_are_only_read(client: Client, person: User) -> None:
    event = AuditEvent.objects.latest("id")
    for name in ("change", "delete"):
        assert client.post(page(event, name), {"post": "yes", "reason": "mine"}).status_code == 403
