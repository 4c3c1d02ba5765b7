"""Which events and rows each section of an evidence pack holds, and how its page tells them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.actions import tenants
from billing.models import Alert
from compliance import announcing, audit
from compliance.announcing import Announcement
from compliance.contracts import Target
from compliance.models import AuditEvent, Erasure, LegalHold, SubjectRequest
from compliance.packs import own, sections
from compliance.packs.page import Shown, counted
from compliance.packs.sections import Period, Section
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.compliance import a_request, a_subject
from tests.factories.retention import a_hold_request

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

NOT_CONFIGURATION = (
    *("leak", "policyrevision", "adjustment", "alert", "alertdelivery", "webhooksecret", "reconciliation"),
    *("reconciliationline", "usagehour", "usageday", "usagevalue", "usagelatency", "meterbalance"),
    *("droppedmonth", "usagerecord", "meter", "hold", "outboxentry", "retiringsecret", "secretclaim"),
    *("secretuse", "approval", "auditevent", "auditpending", "auditlog", "auditleaf", "audittile"),
    *("auditcheckpoint", "backuprun", "restoredrill", "auditexport", "subject", "consentrecord", "erasure"),
    *("erasurestep", "erasuremark", "jobrun", "evidencepack", "purgerun", "subjectrequest"),
    *("subjectrequestevent", "requeststep", "rectification", "subjectexport", "siemprogress", "siemcursor"),
    *("audittally", "transcript", "contentdecision", "tenantkey", "subjectkey", "deadkey", "signingkey"),
    *("retiredroot", "erasureentry", "permission", "guarddecision", "guardplaceholder"),
    *("guarddictionarycontent", "guardcount", "reviewitem"),
)
"""What is done and told, not what people set."""


def now() -> Period:
    today = timezone.now().date()
    return Period(today, today)


def rows(name: str, period: Period | None = None) -> list[dict[str, Any]]:
    (section,) = [each for each in sections.sections("all") if each.name == name]
    return list(section.rows(period or now()))


def actions(name: str) -> set[str]:
    return {row["action"] for row in rows(name)}


def an_event(action: str, kind: str, outcome: str = "success") -> None:
    audit.record(by=THE_SYSTEM, action=action, target=Target(kind, "1"), outcome=outcome, tenant_id=None)


def test_each_table_is_set_by_people_or_not() -> None:
    """A new table is told among the operations until somebody says here that it is configuration."""
    ours = {"accounts", "billing", "gateway", "compliance", "keys", "ledger", "auth"}
    tables = {model._meta.model_name for model in apps.get_models() if model._meta.app_label in ours}
    assert tables == {*own.CONFIGURATION, *NOT_CONFIGURATION}
    assert not {*own.CONFIGURATION} & {*NOT_CONFIGURATION}


@pytest.mark.parametrize(
    ("action", "kind", "section"),
    [
        ("budget.changed", "budget", "configuration_changes"),
        ("apikey.changed", "apikey", "configuration_changes"),
        ("apikey.rotated", "apikey", "key_rotations"),
        ("rootkey.retired", "rootkey", "key_rotations"),
        ("statement.downloaded", "statement", "operations"),
        ("usagereport.downloaded", "tenant", "operations"),
        ("auditlog.read", "auditlog", "operations"),
        ("backup.requested", "backuprun", "operations"),
        ("restoredrill.started", "restoredrill", "operations"),
        ("siemstream.tested", "siemstream", "operations"),
        ("something.new", "nobody_knows", "operations"),
    ],
)
def test_each_event_is_in_one_section(action: str, kind: str, section: str) -> None:
    an_event(action, kind)
    of_events = ("configuration_changes", "key_rotations", "operations", "failed_and_refused", "sign_ins")
    assert [name for name in of_events if action in actions(name)] == [section]


def test_what_was_refused_is_neither_a_change_nor_a_rotation() -> None:
    an_event("request.refused", "apikey", outcome="refused")
    an_event("tenant.refused", "tenant", outcome="refused")
    assert actions("failed_and_refused") == {"request.refused", "tenant.refused"}
    for name in ("configuration_changes", "key_rotations", "operations"):
        assert not {"request.refused", "tenant.refused"} & actions(name)


class TestWhatLasts:
    """What is open at any time in the period is told, whenever it began."""

    def test_subject_requests(self) -> None:
        tenant, at = a_tenant(), timezone.now()
        old, closed = a_request(a_subject(tenant, "a")), a_request(a_subject(tenant, "b"))
        ended, later = a_request(a_subject(tenant, "c")), a_request(a_subject(tenant, "d"))
        of = SubjectRequest.objects.filter
        of(pk__in=(old.pk, closed.pk, ended.pk)).update(received_at=at - timedelta(days=40))
        of(pk=closed.pk).update(state="withdrawn", state_before="received", closed_at=at - timedelta(days=30))
        of(pk=ended.pk).update(state="withdrawn", state_before="received", closed_at=at)
        of(pk=later.pk).update(received_at=at + timedelta(days=2))
        assert {row["id"] for row in rows("subject_requests")} == {old.pk, ended.pk}

    def test_legal_holds(self) -> None:
        acme, at = a_tenant(), timezone.now()
        old, refused = a_hold_request(acme), a_hold_request(acme)
        LegalHold.objects.update(requested_at=at - timedelta(days=40))
        assert {row["id"] for row in rows("legal_holds")} == {old.pk, refused.pk}
        LegalHold.objects.filter(pk=refused.pk).update(state="refused")
        assert {row["id"] for row in rows("legal_holds")} == {old.pk}

    def test_erasures(self) -> None:
        acme, at = a_tenant(), timezone.now()
        values = {"tenant": acme, "requested_by": "test"}
        old = Erasure.objects.create(**values, state="incomplete", surrogate="eu_somebody")
        Erasure.objects.create(**values, state="cancelled", surrogate="eu_another")
        Erasure.objects.update(requested_at=at - timedelta(days=40))
        assert [row["id"] for row in rows("erasures")] == [str(old.pk)]


class TestIncidents:
    def tell(self, kind: str, tenant_id: int | None = None, subject: str = "one") -> None:
        announcing.announce(Announcement(kind=kind, tenant_id=tenant_id, subject=subject, label="It happened."))

    def test_a_rotation_as_planned_is_none(self) -> None:
        acme = a_tenant()
        for kind in ("key_rotated", "key_expiring", "key_unused"):
            self.tell(kind, acme.pk)
        self.tell("backup_failed")
        assert [row["kind"] for row in rows("incidents")] == ["Backup failed"]

    def test_one_leak_is_one(self) -> None:
        acme = a_tenant()
        for tenant_id in (acme.pk, None):
            self.tell("key_leaked", tenant_id, "leak 1")
        self.tell("key_leaked", None, "leak 2")
        Alert.objects.filter(subject="leak 2").update(created_at=timezone.now() - timedelta(seconds=1))
        assert [(row["tenant"], row["kind"]) for row in rows("incidents")] == [
            (acme.slug, "API key leaked"),
            (None, "API key leaked"),
        ]

    def test_the_same_again_later_is_another(self) -> None:
        acme = a_tenant()
        self.tell("key_leaked", acme.pk, "leak 1")
        Alert.objects.update(created_at=timezone.now() - timedelta(hours=1), cleared_at=timezone.now())
        self.tell("key_leaked", None, "leak 1")
        assert len(rows("incidents", Period((timezone.now() - timedelta(days=1)).date(), timezone.now().date()))) == 2


class TestPage:
    def shown(self, *told: dict[str, Any], name: str = "made", columns: tuple[str, ...] = ()) -> Shown:
        shown = Shown(
            Section(name=name, title="Made", why="", columns=columns or tuple(told[0]), rows=lambda _: iter(()))
        )
        for row in told:
            shown.add(row)
        return shown

    def test_what_was_changed_is_told_in_words(self) -> None:
        row = {
            "id": 7,
            "before": {"name": "Acme", "scopes": ["chat"], "note": "old"},
            "after": {"name": "Umbrella", "scopes": ["chat", "files"], "is_active": True},
            "request_id": "req_1",
        }
        shown = self.shown(row)
        assert shown.headings == ["Id", "Changed"]
        assert shown.rows == [
            [
                ["7"],
                ["name: Acme → Umbrella", "scopes: chat → chat, files", "note: old → removed", "is active: yes"],
            ]
        ]

    def test_times_are_read_easily(self) -> None:
        assert self.shown({"at": "2026-11-21T20:04:11.123456Z"}).rows == [[["2026-11-21 20:04"]]]

    def test_facts_are_lines(self) -> None:
        assert self.shown({"facts": {"backup_label": "a", "bytes": 5}}).rows == [[["backup label: a", "bytes: 5"]]]

    def test_controls_are_all_shown_and_counted_in_words(self) -> None:
        states = ["ok"] * 12 + ["failed", "missing"]
        shown = self.shown(*({"state": state} for state in states), name="controls")
        assert len(shown.rows) == 14
        assert [(words, count) for _, words, count in counted([shown])] == [("OK", 12), ("Missing", 1), ("Failed", 1)]

    def test_no_json_is_on_it(self) -> None:
        key, _ = a_key()
        key.tenant.name = "Renamed"
        tenants.change(tenant=key.tenant, by=THE_SYSTEM)
        assert AuditEvent.objects.exclude(after={}).exists()
        shown = []
        for section in sections.sections("all"):
            shown.append(Shown(section))
            for row in section.rows(now()):
                shown[-1].add(row)
        about = {"period": now(), "made_at": timezone.now()}
        page = render_to_string("compliance/pack.html", {"about": about, "sections": shown, "states": counted(shown)})
        assert "Renamed" in page
        assert not re.search(r"\{&quot;|\{&#x27;|\{\"", page)
        assert re.search(r"Controls:.*\d ok</span>, <span", page)
