"""The audit log as officers see it: filters that stay fast, the timeline of an object, and an event's proof."""

import re
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import keys, tenants
from accounts.models import Tenant, User
from compliance import audit
from compliance.actions import audit_log
from compliance.admin import diffs
from compliance.contracts import Actor, Target
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST = "/admin/compliance/auditevent/"
TIMELINE = f"{LIST}timeline/"
MANY = """
INSERT INTO compliance_auditevent (
    occurred_at, tenant_id, actor_kind, actor_id, action, target_kind, target_id, outcome, reason, before, after,
    request_id, user_agent, version, salts, redacted, subjects
)
SELECT now() - n * interval '1 minute', n %% 50, 'user', n %% 97, 'thing.verb' || n %% 40, 'thing', n %% 5000,
    CASE WHEN n %% 100 = 0 THEN 'refused' ELSE 'success' END, '', '{}', '{}', 'request-' || n, '', 1, '', '{}', '{}'
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def an_event(**fields: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "by": Actor(kind="user", id="7", request_id="r-1"),
        "action": "thing.changed",
        "target": Target("thing", "1"),
        "tenant_id": None,
    }
    with transaction.atomic():
        return audit.record(**{**values, **fields})


def text_of(client: Client, url: str, **query: Any) -> str:
    response = client.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


def listed(client: Client, **query: Any) -> set[int]:
    response = client.get(LIST, query)
    assert response.status_code == 200, response
    return {event.pk for event in response.context["cl"].result_list}


# --- the list -----------------------------------------------------------------------------------------------------


def test_it_works(client: Client, person: User) -> None:
    tenant = a_tenant()
    tenants.suspend(tenant=tenant, by=THE_SYSTEM, reason="unpaid")
    text = text_of(client, LIST, tenant_id=tenant.pk, action="tenant.suspended")
    assert "unpaid" in text
    assert "Done" in text


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"tenant_id": "3"}, {"tenant_id": 3}),
        ({"tenant_id": "platform", "action": "thing.done"}, {"tenant_id": None, "action": "thing.done"}),
        ({"actor_kind": "command"}, {"by": Actor(kind="command", id="x")}),
        ({"actor_id": "12"}, {"by": Actor(kind="user", id="12")}),
        ({"action": "thing.done"}, {"action": "thing.done"}),
        ({"target_kind": "other"}, {"target": Target("other", "5")}),
        ({"target_kind": "thing", "target_id": "77"}, {"target": Target("thing", "77")}),
        ({"outcome": "refused"}, {"outcome": "refused"}),
        ({"q": "r-99"}, {"by": Actor(kind="user", id="7", request_id="r-99")}),
        ({"q": "eu_" + "a" * 24}, {"after": {"surrogate": "eu_" + "a" * 24}}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_it_is_filtered(client: Client, person: User, query: dict[str, str], fields: dict[str, Any]) -> None:
    wanted, other = an_event(**fields), an_event(tenant_id=4)
    found = listed(client, **query)
    assert wanted.pk in found
    assert other.pk not in found


def test_it_is_filtered_by_time(client: Client, person: User) -> None:
    event, now = an_event(), timezone.now().astimezone(UTC)
    around = {"occurred_at_from_0": f"{now - timedelta(days=1):%Y-%m-%d}", "occurred_at_from_1": "00:00:00"}
    assert event.pk in listed(client, **around)
    assert event.pk not in listed(client, **around, occurred_at_to_0=around["occurred_at_from_0"])


QUERIES: list[dict[str, str]] = [
    {},
    {"tenant_id": "7"},
    {"tenant_id": "platform"},
    {"actor_kind": "user", "actor_id": "5"},
    {"action": "thing.verb3"},
    {"target_kind": "thing", "target_id": "77"},
    {"outcome": "refused"},
    {"outcome": "refused", "tenant_id": "7"},
    {"q": "request-512"},
    {"q": "eu_" + "a" * 24},
    {"since": "yesterday"},
    {"occurred_at_from_0": f"{timezone.now():%Y-%m-%d}", "occurred_at_from_1": "00:00:00"},
    {"p": "3"},
]


def test_no_filter_reads_the_whole_table(client: Client, person: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [30_000])
        cursor.execute("ANALYZE compliance_auditevent")
    for query in QUERIES:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST, query).status_code == 200
        reads = [each["sql"] for each in captured if 'FROM "compliance_auditevent"' in each["sql"]]
        assert reads
        for sql in reads:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
                plan = "\n".join(line for (line,) in cursor.fetchall())
            # The first rows, whichever they are, may be read in the table's order: nothing is filtered out of them.
            assert not re.search(r"Seq Scan on compliance_auditevent.*\n\s+Filter", plan), (query, sql, plan)


# --- the timeline -------------------------------------------------------------------------------------------------


def test_the_timeline_of_an_object_says_what_was_done_to_it(client: Client, person: User) -> None:
    key, _ = a_key()
    keys.suspend(key=key, by=Actor(kind="user", id=str(person.pk)), reason="lost laptop")
    text = text_of(client, TIMELINE, target_kind="apikey", target_id=key.pk)
    assert "apikey.suspended" in text
    assert "lost laptop" in text
    assert "<del>active</del>" in text
    assert "<ins>suspended</ins>" in text
    assert f"{timezone.now().astimezone(UTC):%A, %-d %B %Y}" in text
    assert client.get(f"/admin/accounts/apikey/{key.pk}/history/").status_code == 302


def test_it_goes_on_where_a_page_ends(client: Client, person: User) -> None:
    made = [an_event(target=Target("thing", "42")).pk for _ in range(53)]
    first = client.get(TIMELINE, {"target_kind": "thing", "target_id": "42"})
    second = client.get(first.context["older"])
    shown = [entry.event.pk for page in (first, second) for _, entries in page.context["days"] for entry in entries]
    assert shown == made[::-1]
    assert not second.context["older"]


def test_an_object_without_history_says_so(client: Client, person: User) -> None:
    assert "Nothing is on record about it" in text_of(client, TIMELINE, target_kind="thing", target_id="none")
    assert client.get(TIMELINE).status_code == 404


def test_a_hostile_name_is_only_text(client: Client, person: User) -> None:
    target = Target("thing", "<script>")
    an_event(target=target, reason="<img>", before={"<b>": "<i>"}, after={"<b>": "<u>"})
    text = text_of(client, TIMELINE, target_kind="thing", target_id="<script>")
    assert "<script></" not in text
    assert "<img>" not in text
    assert "<del>&lt;i&gt;</del>" in text


def test_only_those_who_may_see_the_log_see_a_timeline(client: Client) -> None:
    user = an_admin(is_superuser=False)
    client.force_login(user)
    assert client.get(TIMELINE, {"target_kind": "thing", "target_id": "1"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    assert client.get(TIMELINE, {"target_kind": "thing", "target_id": "1"}).status_code == 200


# --- one event ----------------------------------------------------------------------------------------------------


def test_an_event_shows_its_place_and_that_it_is_proven(client: Client, person: User) -> None:
    tenant: Tenant = a_tenant()
    event = AuditEvent.objects.filter(target_kind="tenant", target_id=str(tenant.pk)).earliest("id")
    url = f"{LIST}{event.pk}/change/"
    assert "Waits for the next checkpoint" in text_of(client, url)
    audit_log.checkpoint(by=THE_SYSTEM)
    text = text_of(client, url)
    assert "Proven by the checkpoint of" in text
    assert f"/tenant/{tenant.pk}" in text


def test_lists_are_compared_by_element() -> None:
    event = AuditEvent(before={"scopes": ["chat", "models"]}, after={"scopes": ["models", "audit"]})
    (line,) = diffs.lines_of(event)
    assert (line.kind, line.gone, line.new, line.same) == ("changed", ("chat",), ("audit",), 1)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [(None, "x", "added"), ("x", None, "removed"), ("x", "y", "changed"), (["x"], [], "removed"), ([], ["x"], "added")],
)
def test_what_was_added_removed_and_changed_is_told_apart(before: Any, after: Any, kind: str) -> None:
    (line,) = diffs.lines_of(AuditEvent(before={"name": before}, after={"name": after}))
    assert line.kind == kind


def test_what_was_empty_and_stayed_so_is_not_told() -> None:
    assert [line.name for line in diffs.lines_of(AuditEvent(before={}, after={"a": None, "b": [], "c": False}))] == [
        "c"
    ]


def test_what_was_erased_is_shown_as_such(client: Client, person: User) -> None:
    event = AuditEvent(before={}, after={"count": 1}, redacted={"after.surrogate": "ab" * 32, "reason": "cd" * 32})
    kinds = {line.name: line.kind for line in diffs.lines_of(event)}
    assert kinds == {"count": "added", "surrogate": "erased"}
    assert diffs.erased_columns_of(event) == ["reason"]


def test_fields_and_values_are_in_words() -> None:
    event = AuditEvent(
        before={"used_nano": 0, "ends_at": "2026-11-21T20:00:37.123456+00:00"},
        after={"used_nano": 3_420_719_750, "ends_at": "2026-11-22T20:00:37.123456+00:00", "sha256": "ab"},
    )
    assert [(line.name, line.before, line.after) for line in diffs.lines_of(event)] == [
        ("ends at", "2026-11-21 20:00:37 UTC", "2026-11-22 20:00:37 UTC"),
        ("SHA-256", "–", "ab"),
        ("used", "0", "3.42071975"),
    ]


def test_what_was_only_asked_for_has_no_number(client: Client, person: User) -> None:
    an_event(action="backup.requested", target=Target("backuprun", "None"))
    an_event(action="apikey.revoked", target=Target("apikey", "999999"), after={"count": 1})
    text = text_of(client, LIST)
    assert "backuprun None" not in text
    assert "backup that was asked for" in text
    assert "API key 999999" in text, "what is gone is called by its kind's name"
    assert "once" in text


def test_who_did_it_comes_right_after_the_time(client: Client, person: User) -> None:
    an_event(by=Actor(kind="anonymous", id="claim link"), reason="long " * 50)
    text = text_of(client, LIST)
    assert text.index('data-label="By"') < text.index('data-label="Action"')
    assert "nobody known (claim link)" in text
