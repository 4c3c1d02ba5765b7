"""What is taken away as a file is on record, once each; looking at a page is not."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import ApiKey, User
from compliance.models import AuditEvent
from tests.factories import a_key
from tests.factories.accounting import a_reconciliation
from tests.factories.control import a_usage_record, an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def key() -> ApiKey:
    key, _ = a_key()
    a_usage_record(key, at=datetime(2026, 3, 10, tzinfo=UTC), tags={"feature": "ada@acme.example"})
    return key


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def test_it_works(client: Client, person: User, key: ApiKey) -> None:
    address = {"tenant": key.tenant.slug, "month": "2026-03"}
    client.get("/admin/statements/", address)
    assert not events_of(person).exists()
    client.get("/admin/statements/", {**address, "format": "pdf"})
    event = events_of(person).get()
    assert (event.action, event.tenant_id, event.after["form"]) == ("statement.downloaded", key.tenant_id, "pdf")


def test_a_statement_that_a_command_writes(key: ApiKey, tmp_path: Path) -> None:
    file = str(tmp_path / "statement.pdf")
    call_command("statement", tenant=key.tenant.slug, month="2026-03", pdf=Path(file), stdout=io.StringIO())
    event = AuditEvent.objects.get(action="statement.downloaded")
    assert (event.actor_kind, event.actor_id, event.tenant_id) == ("command", "statement", key.tenant_id)


@pytest.mark.parametrize(("form", "per"), [("csv", "total"), ("xlsx", "day")])
def test_usage_as_a_file(client: Client, person: User, key: ApiKey, form: str, per: str) -> None:
    address = {"tenant": key.tenant.slug, "span": "custom", "from": "2026-03-01", "to": "2026-03-31"}
    assert client.get("/api/billing/reports", address).status_code == 200
    assert not events_of(person).exists()
    narrowed = {**address, "tag": "feature", "tag_value": "ada@acme.example"} if per == "total" else address
    assert client.get("/api/billing/reports", {**narrowed, "format": form, "per": per}).status_code == 200
    event = events_of(person).get()
    assert (event.action, event.target_id, event.tenant_id) == ("usagereport.downloaded", form, key.tenant_id)
    assert (event.after["from"], event.after["per"]) == ("2026-03-01", per)
    assert "ada@" not in str(event.after)


def test_the_lines_of_a_reconciliation(client: Client, person: User) -> None:
    row = a_reconciliation()
    client.get(f"/admin/billing/reconciliation/{row.pk}/csv/")
    event = events_of(person).get()
    assert (event.action, event.target_id) == ("reconciliation.downloaded", str(row.pk))
