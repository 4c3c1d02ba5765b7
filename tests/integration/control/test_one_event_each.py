"""A write of the control plane leaves exactly its events. Where those cannot be written, nothing is changed; one whose
connection dies between its write and its commit leaves neither."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import DatabaseError, OperationalError, connection, models
from django.test import Client

from accounts.actions import applications, groups, keys, tenants, users
from accounts.models import Application, Tenant, User
from billing.actions import budgets, tags, tiers
from billing.models import AttributionTag, Budget, Subscription
from compliance import audit, signing
from compliance.actions import signing_keys
from compliance.contracts import Actor
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_budget, a_key, a_tag, a_tenant, a_tier, an_application
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_request, a_subject
from tests.factories.control import PASSWORD, an_admin

in_one_transaction = pytest.mark.django_db(databases=["default", "ledger", "keys"])

Send = Callable[[Client], Any]
Door = Callable[[], tuple[Send, list[str]]]
"""Makes what is needed; gives how to send the write, and the events that it must leave."""

NO_ROWS_OF_THESE = {
    *("auditevent", "auditpending", "audittally", "auditlog", "auditleaf", "audittile", "auditcheckpoint"),
    "secretuse",  # when a secret was used last
}


def page(row: models.Model, name: str = "change") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{name}/"


def form(path: str, values: dict[str, Any], *events: str) -> tuple[Send, list[str]]:
    return lambda client: client.post(path, values), list(events)


def step(row: models.Model, name: str, *events: str, **values: Any) -> tuple[Send, list[str]]:
    return form(page(row, name), {"reason": "ticket 12, as agreed with legal", **values}, *events)


def api(path: str, body: Any, *events: str, tenant: Tenant | None = None) -> tuple[Send, list[str]]:
    _, secret = a_key(tenant=tenant, scopes=["consents", "subjects"])
    headers = {"Authorization": f"Bearer {secret}"}

    def send(_: Client) -> Any:
        return Client(raise_request_exception=False, headers=headers).post(path, body, content_type="application/json")

    return send, list(events)


def with_consent(path: str, *events: str) -> tuple[Send, list[str]]:
    tenant = a_tenant()
    a_consent(a_subject(tenant, "ada"))
    return api(path, {"subject": "ada", "purpose": "store_conversations"}, *events, tenant=tenant)


def a_decision() -> tuple[Send, list[str]]:
    tenant = a_tenant()
    signing.public_keys() or signing_keys.make_signing_key(by=THE_SYSTEM)
    a_notice(tenant)
    a_subject(tenant, "ada")
    body = {"subject": "ada", "purpose": "store_conversations", "state": "given"}
    return api("/api/consents/", body, "consent.given", tenant=tenant)


def a_right() -> tuple[Send, list[str]]:
    tenant = a_tenant()
    a_subject(tenant, "ada")
    body = {"subject": "ada", "right": "access"}
    vouched_for = ("acknowledged", "identity_verified")  # by the application itself
    return api(
        "/api/subject-requests/",
        body,
        *(f"subjectrequest.{verb}" for verb in ("received", *vouched_for)),
        tenant=tenant,
    )


DOORS: dict[str, Door] = {
    "open a tenant": lambda: form(
        "/admin/accounts/tenant/add/", {"name": "New", "slug": "new", "time_zone": "UTC"}, "tenant.created"
    ),
    "rename a tenant": lambda: form(
        page(tenant := a_tenant()), {"name": "Other", "slug": tenant.slug, "time_zone": "UTC"}, "tenant.changed"
    ),
    "suspend a tenant": lambda: step(a_tenant(), "suspend", "tenant.suspended"),
    "close a tenant with a key": lambda: step(a_key()[0].tenant, "close", "apikey.revoked", "tenant.closed"),
    "add an application": lambda: form(
        "/admin/accounts/application/add/",
        {"tenant": a_tenant().pk, "name": "Bot", "slug": "bot"},
        "application.created",
    ),
    "suspend an application": lambda: step(an_application(), "suspend", "application.suspended"),
    "suspend a key": lambda: step(a_key()[0], "suspend", "apikey.suspended"),
    "revoke a key": lambda: step(a_key()[0], "revoke", "apikey.revoked"),
    "add a member": lambda: form(
        "/admin/accounts/membership/add/",
        {"tenant": a_tenant().pk, "user": an_admin().pk, "role": "owner"},
        "membership.created",
    ),
    "add a group": lambda: form("/admin/auth/group/add/", {"name": "Auditors"}, "group.created"),
    "add a budget": lambda: form(
        "/admin/billing/budget/add/",
        {"tenant": a_tenant().pk, "name": "All", "limit_nano": "12.50", "period": "month", "mode": "hard"},
        "budget.created",
    ),
    "delete a budget": lambda: form(page(a_budget(a_tenant()), "delete"), {"post": "yes"}, "budget.deleted"),
    "declare a tag": lambda: form(
        "/admin/billing/attributiontag/add/", {"tenant": a_tenant().pk, "key": "feature"}, "attributiontag.created"
    ),
    "withdraw a tag": lambda: form(page(a_tag(a_tenant()), "delete"), {"post": "yes"}, "attributiontag.deleted"),
    "delete a tier": lambda: form(page(a_tier(), "delete"), {"post": "yes"}, "tier.deleted"),
    "remove a content policy": lambda: form(
        page(a_content_policy(a_tenant()), "delete"), {"post": "yes"}, "contentpolicy.deleted"
    ),
    "restrict a subject": lambda: step(a_subject(), "restrict", "subject.restricted"),
    "withdraw a consent": lambda: step(a_consent(a_subject()), "withdraw", "consent.withdrawn"),
    "acknowledge a request": lambda: step(a_request(), "acknowledge", "subjectrequest.acknowledged"),
    "a decision by the API": a_decision,
    "a withdrawal by the API": lambda: with_consent("/api/consents/withdraw", "consent.withdrawn"),
    "a request by the API": a_right,
}
each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@pytest.fixture
def staff() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(an_admin())
    return client


def last_event() -> int:
    return int(AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0)


def events_since(number: int) -> list[str]:
    return sorted(AuditEvent.objects.filter(pk__gt=number).values_list("action", flat=True))


def fingerprints() -> dict[str, str]:
    """What every governed table holds."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        of_main = meta.app_label in ("accounts", "billing", "compliance", "gateway", "auth")
        if of_main and meta.managed and meta.model_name not in NO_ROWS_OF_THESE:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {meta.db_table} AS t"
                )
                found[meta.label] = cursor.fetchone()[0]
    return found


@in_one_transaction
@each_door
def test_a_write_leaves_exactly_its_events(door: Door, staff: Client) -> None:
    send, events = door()
    before = last_event()
    answer = send(staff)
    assert answer.status_code in (200, 201, 302), answer.content
    assert events_since(before) == sorted(events)


@in_one_transaction
@each_door
def test_a_write_whose_event_fails_changes_nothing(door: Door, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    send, _ = door()
    before, tables = last_event(), fingerprints()

    def full(**_: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", full)
    assert send(staff).status_code == 500
    monkeypatch.undo()
    assert events_since(before) == []
    changed = [label for label, fingerprint in fingerprints().items() if fingerprint != tables[label]]
    assert changed == []


@in_one_transaction
def test_what_is_refused_leaves_no_event(staff: Client) -> None:
    tenant, key = a_tenant(), a_key()[0]
    keys.revoke(key=key, by=THE_SYSTEM)
    before = last_event()
    staff.post("/admin/accounts/tenant/add/", {"name": "", "slug": "Not A Slug", "time_zone": "Mars"})
    staff.post(page(key, "suspend"), {"reason": ""})
    staff.post(page(tenant.subscription.tier, "delete"), {"post": "yes"})
    assert events_since(before) == []


# --- a connection that dies between the write and the commit -------------------------------------------------------

OFFICER = Actor(kind="user", id="1")
DEATHS: dict[str, Callable[[Tenant, str], object]] = {
    "application": lambda tenant, name: applications.add(
        application=Application(tenant=tenant, name=name, slug=name), by=OFFICER
    ),
    "tenant": lambda tenant, name: tenants.open(tenant=Tenant(slug=name, name=name), by=OFFICER),
    "suspension": lambda tenant, name: tenants.suspend(tenant=tenant, by=OFFICER),
    "key": lambda tenant, name: keys.issue(
        application=Application.objects.filter(tenant=tenant).first() or an_application(tenant),
        name=name,
        environment="dev",
        scopes=["chat"],
        by=OFFICER,
    ),
    "person": lambda tenant, name: users.add(user=User(username=name), password=PASSWORD, by=OFFICER),
    "group": lambda tenant, name: groups.add(group=Group(name=name), permissions=[], by=OFFICER),
    "budget": lambda tenant, name: budgets.add(
        budget=Budget(tenant=tenant, name=name, limit_nano=1, period="month", mode="hard"), by=OFFICER
    ),
    "tag": lambda tenant, name: tags.declare(tag=AttributionTag(tenant=tenant, key=name[:10]), by=OFFICER),
    "end of a subscription": lambda tenant, name: tiers.unsubscribe(
        subscription=Subscription.objects.get(tenant=tenant), by=OFFICER
    ),
}


@pytest.mark.parametrize("act", DEATHS.values(), ids=DEATHS)
@pytest.mark.usefixtures("databases")
def test_a_death_between_write_and_commit_leaves_neither(
    act: Callable[[Tenant, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = an_application().tenant
    before, tables = last_event(), fingerprints()
    record = audit.record

    def record_and_die(**values: Any) -> None:
        record(**values)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", record_and_die)
        with pytest.raises(OperationalError):
            act(tenant, f"n{uuid.uuid4().hex[:12]}")
    connection.close()
    assert events_since(before) == []
    assert fingerprints() == tables
    act(tenant, f"n{uuid.uuid4().hex[:12]}")
    assert len(events_since(before)) == 1
