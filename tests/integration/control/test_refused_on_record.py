"""Each request that the control plane's API refuses is on record: counted by who asked, reason and minute."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from compliance.actions import tallies
from compliance.models import AuditEvent
from tests.factories import a_key
from tests.factories.control import an_admin
from tests.factories.tallies import counted_at, no_tallies

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PATH = "/api/notices/?purpose=training"
LONG_AGO = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_left_by_others(db: None) -> None:
    cache.clear()
    no_tallies()


def asked(text: str, path: str = PATH, **fields: Any) -> int:
    return Client().get(path, headers={"Authorization": f"Bearer {text}"}, **fields).status_code


def events() -> list[AuditEvent]:
    counted_at(LONG_AGO)
    tallies.put_on_record()
    return list(AuditEvent.objects.filter(action="request.refused").order_by("reason"))


def test_it_works() -> None:
    key, text = a_key(scopes=["consents"])
    for _ in range(3):
        assert asked(text, "/api/notices/?mood=sunny") == 400
    assert asked(text, "/api/subjects/") == 403
    nonsense, not_allowed = events()
    assert (nonsense.actor_kind, nonsense.actor_id, nonsense.tenant_id) == ("key", str(key.pk), key.tenant_id)
    assert (nonsense.target_kind, nonsense.target_id) == ("apikey", str(key.pk))
    assert (nonsense.reason, nonsense.after["count"]) == ("invalid_request_error", 3)
    assert (not_allowed.reason, not_allowed.after["count"]) == ("permission_denied", 1)
    assert nonsense.request_id


def test_what_is_answered_is_not_refused() -> None:
    assert asked(a_key(scopes=["consents"])[1]) == 200
    assert events() == []


def test_wrong_keys_count_against_their_network() -> None:
    for n in range(4):
        asked("pcl_nonsense", REMOTE_ADDR=f"2001:db8::{n + 1}")
    (event,) = events()
    assert (event.actor_kind, event.target_kind, event.target_id) == ("anonymous", "network", "2001:db8::/64")
    assert (event.tenant_id, event.reason, event.after["count"]) == (None, "invalid_api_key", 4)


def test_somebody_who_is_signed_in_and_may_not_is_named(client: Client) -> None:
    user = an_admin(is_superuser=False)
    client.force_login(user)
    assert client.get("/api/billing/reports").status_code == 403
    (event,) = events()
    assert (event.actor_kind, event.actor_id, event.target_kind) == ("user", str(user.pk), "user")


def test_no_parameter_of_the_request_is_kept() -> None:
    _, text = a_key(scopes=["consents"])
    asked(text, "/api/notices/?ada@acme.example=1")
    (event,) = events()
    assert "ada@" not in str(vars(event))
