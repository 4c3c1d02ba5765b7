"""What the front page tells of privacy, and to whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from compliance import erasure_gate
from compliance.actions import requests
from compliance.actions.requests import Asked
from compliance.admin.overview import words
from compliance.errors import NotReplayed
from compliance.models import Approval, Erasure, PurgeRun, SubjectRequest
from compliance.rights import Right
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.delete("privacy-decisions")


def an_open_request(*, days_ago: int = 0) -> SubjectRequest:
    received = timezone.now() - timedelta(days=days_ago)
    asked = Asked(right=Right.ACCESS, received_at=received)
    return requests.receive(subject=a_subject(), asked=asked, by=THE_SYSTEM)


def block(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/admin/").context["privacy"]
    return found


def figures(client: Client) -> dict[str, tuple[str, str]]:
    return {line.title: (line.value, line.tone) for line in block(client)["lines"]}


def test_it_works(client: Client) -> None:
    client.force_login(an_admin())
    an_open_request()
    late = an_open_request(days_ago=60)
    found = block(client)
    assert figures(client) == {
        "Open requests": ("2", ""),
        "Overdue": ("1", "bad"),
        "Approvals waiting": ("0", ""),
        "Erasures incomplete": ("0", ""),
        "Last purge": ("none yet", ""),
    }
    assert [row.tone for row in found["due"]] == ["bad", ""]
    assert found["due"][0].url.endswith(f"/{late.pk}/change/")
    assert [text for text, _ in found["warnings"]] == ["There is no backup yet: what is lost now is lost for good."]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (-2, "2 days overdue"),
        (-1, "1 day overdue"),
        (0, "due today"),
        (1, "1 day left"),
        (30, "30 days left"),
    ],
)
def test_days_left_in_words(days: int, text: str) -> None:
    assert words(days) == text


def test_what_was_stored_comes_first_and_then_why_other_content_was_not(client: Client) -> None:
    tenant = a_tenant()
    a_content_policy(tenant)
    subject = a_subject(tenant)
    a_consent(subject)
    a_transcript(subject)
    client.force_login(an_admin())
    assert [(row["label"], row["requests"]) for row in block(client)["decisions"]] == [("Stored", 1)]
    assert "Conversations stored, or why not" in client.get("/admin/").content.decode()


def test_an_approval_that_waits_is_counted_until_it_expires(client: Client) -> None:
    now = timezone.now()
    for number, ends in enumerate((now + timedelta(days=1), now - timedelta(days=1))):
        Approval.objects.create(
            action="legal_hold.released",
            target_kind="legalhold",
            target_id=str(number),
            reason="it is over",
            requested_by="user 1",
            expires_at=ends,
        )
    client.force_login(an_admin())
    assert figures(client)["Approvals waiting"] == ("1", "warn")


def test_an_incomplete_erasure_is_told_at_the_top(client: Client) -> None:
    Erasure.objects.create(tenant=a_tenant(), surrogate="eu_x", state="incomplete", requested_by="user 1")
    client.force_login(an_admin())
    assert figures(client)["Erasures incomplete"] == ("1", "bad")
    assert "An erasure is not complete" in client.get("/admin/").content.decode()


def test_a_failed_purge_is_told_and_a_later_one_that_worked_takes_it_back(client: Client) -> None:
    today = timezone.now().date()
    PurgeRun.objects.create(as_of=today, plan_hash="", state="failed", started_by="system")
    client.force_login(an_admin())
    assert "The last purge failed" in client.get("/admin/").content.decode()
    PurgeRun.objects.create(as_of=today, plan_hash="", state="done", removed_rows=1200, started_by="system")
    assert "The last purge failed" not in client.get("/admin/").content.decode()
    assert figures(client)["Last purge"] == (f"{today:%-d %b}, 1,200 rows", "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NotReplayed("A database was restored. Run manage.py replay_erasures."), "replay_erasures"),
        (OperationalError("connection refused"), "The keys database does not answer"),
    ],
    ids=["restored", "down"],
)
def test_a_closed_gate_is_told(error: Exception, text: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> None:
        raise error

    monkeypatch.setattr(erasure_gate, "require_replayed", closed)
    client.force_login(an_admin())
    assert text in client.get("/admin/").content.decode()


def test_nobody_is_told_more_than_they_may_see(client: Client) -> None:
    an_open_request(days_ago=60)
    user = an_admin(is_superuser=False)
    client.force_login(user)
    assert block(client) == {}
    user.user_permissions.set(Permission.objects.filter(codename="view_approval"))
    assert list(figures(client)) == ["Approvals waiting"]
    assert block(client)["due"] is None
