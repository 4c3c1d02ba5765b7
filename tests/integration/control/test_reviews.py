"""What guards flag is put up for review, once, and counted; what reviewers decide is put on record, and holds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.actions import keys
from accounts.errors import KeyNotActive
from accounts.models import ApiKey
from compliance.actions import retention, subjects
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, RetentionPolicy, Subject
from compliance.purgers import Scope
from compliance.registry import Class, Person
from gateway import kept_reviews, selectors, subject_rows
from gateway.actions import guard_decisions as severing
from gateway.actions import reviews
from gateway.guards.base import Action
from gateway.models import GuardCount, ReviewItem
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.guards import a_review, guard_decisions

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def key() -> ApiKey:
    return a_key(tenant=a_tenant())[0]


@pytest.fixture
def ada(key: ApiKey) -> Subject:
    return subjects.enrol(tenant_id=key.tenant_id, external_id="ada@example.com", by=THE_SYSTEM)


def events_of(item: ReviewItem) -> list[str]:
    found = AuditEvent.objects.filter(target_kind="reviewitem", target_id=str(item.pk)).order_by("id")
    return [event.action.partition(".")[2] for event in found]


# --- items and counts ------------------------------------------------------------------------------------------------


def test_it_works(key: ApiKey) -> None:
    item = a_review(key, "injection", "personal_data")
    assert (item.tenant_id, item.api_key_id, item.state) == (key.tenant_id, key.pk, "open")
    assert item.guards == ["injection", "personal_data"]
    assert item.rules == ["injection.override", "personal_data.override"]
    assert item.score == pytest.approx(0.9)


@pytest.mark.parametrize("action", [Action.LOG, Action.REDACT, Action.BLOCK], ids=["log", "redact", "block"])
def test_only_what_is_flagged_is_put_up(key: ApiKey, action: Action) -> None:
    guard_decisions(key, "injection", action=action)
    assert not ReviewItem.objects.exists()
    assert GuardCount.objects.get().action == action


def test_an_exchange_is_put_up_once(key: ApiKey) -> None:
    request_id = guard_decisions(key, "injection", score=0.6)
    guard_decisions(key, "links", request_id=request_id, score=0.8, direction="answer", rule="host")
    item = ReviewItem.objects.get(request_id=request_id)
    assert (item.guards, item.rules) == (["injection", "links"], ["injection.override", "links.host"])
    assert item.score == pytest.approx(0.8)


def test_what_comes_later_does_not_open_it_again(key: ApiKey) -> None:
    item = a_review(key)
    reviews.dismiss(item=item, by=THE_SYSTEM)
    guard_decisions(key, "links", request_id=item.request_id)
    item.refresh_from_db()
    assert (item.state, item.guards) == ("dismissed", ["injection", "links"])


def test_requests_findings_and_errors_are_counted_by_day(key: ApiKey) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for at in (noon, noon, noon + timedelta(days=1)):
        guard_decisions(key, "injection", at=at, count=3)
    guard_decisions(key, "injection", at=noon, error="raised", rule="")
    guard_decisions(key, "injection", "injection", at=noon, action=Action.BLOCK)
    found = GuardCount.objects.filter(tenant_id=key.tenant_id).order_by("day", "action")
    assert [(row.day.day, row.action, row.requests, row.findings, row.errors) for row in found] == [
        (1, Action.FLAG, 3, 7, 1),
        (1, Action.BLOCK, 1, 2, 0),
        (2, Action.FLAG, 1, 3, 0),
    ]


def test_a_batch_that_is_sent_again_counts_once(key: ApiKey) -> None:
    row = UUID(int=7)
    for _ in range(2):
        guard_decisions(key, "injection", id=str(row), request_id=UUID(int=8), at=datetime(2026, 3, 1, tzinfo=UTC))
    assert GuardCount.objects.get().requests == 1


def test_a_row_is_decided_or_open(key: ApiKey) -> None:
    item = a_review(key)
    with pytest.raises(IntegrityError, match="review_decided_or_open"), transaction.atomic():
        ReviewItem.objects.filter(pk=item.pk).update(state="confirmed")


# --- decisions of reviewers ------------------------------------------------------------------------------------------


def test_it_is_confirmed(key: ApiKey) -> None:
    item = reviews.confirm(item=a_review(key), by=THE_SYSTEM, reason="an attack")
    assert (item.state, item.decided_by) == ("confirmed", "system tests")
    event = AuditEvent.objects.get(action="reviewitem.confirmed", target_id=str(item.pk))
    assert (event.tenant_id, event.reason) == (key.tenant_id, "an attack")


def test_who_comes_second_is_told(key: ApiKey) -> None:
    item = a_review(key)
    reviews.dismiss(item=item, by=THE_SYSTEM)
    with pytest.raises(ActionRefused, match="dismissed already, since"):
        reviews.dismiss(item=item, by=THE_SYSTEM)
    assert reviews.confirm(item=item, by=THE_SYSTEM).state == "confirmed"  # a change of mind is no mistake


def test_it_is_opened_again(key: ApiKey) -> None:
    item = reviews.confirm(item=a_review(key), by=THE_SYSTEM)
    item = reviews.reopen(item=item, by=THE_SYSTEM)
    assert (item.state, item.decided_by, item.decided_at) == ("open", "", None)
    assert events_of(item) == ["confirmed", "reopened"]


def test_notes_are_added_and_put_on_record(key: ApiKey) -> None:
    item = a_review(key)
    for text in ("Looks like a test.", " It was one. "):
        reviews.note(item=item, by=THE_SYSTEM, reason=text)
    item.refresh_from_db()
    assert [each["text"] for each in item.notes] == ["Looks like a test.", "It was one."]
    assert [each["by"] for each in item.notes] == ["system tests"] * 2
    assert events_of(item) == ["noted", "noted"]
    assert AuditEvent.objects.filter(action="reviewitem.noted").latest("id").reason == "It was one."


@pytest.mark.parametrize("text", ["", "  ", "x" * 501], ids=["nothing", "spaces", "too long"])
def test_a_note_says_something(key: ApiKey, text: str) -> None:
    with pytest.raises(ValidationError, match="Write 1 to 500"):
        reviews.note(item=a_review(key), by=THE_SYSTEM, reason=text)


def test_the_key_is_blocked(key: ApiKey) -> None:
    item = reviews.block_key(item=a_review(key), by=THE_SYSTEM, reason="an attack")
    key.refresh_from_db()
    assert (key.status, item.state) == ("suspended", "confirmed")
    assert item.key_blocked_at is not None
    assert events_of(item) == ["key_blocked"]
    event = AuditEvent.objects.get(action="apikey.suspended", target_id=str(key.pk))
    assert event.reason == "an attack"


def test_a_revoked_key_is_not_blocked(key: ApiKey) -> None:
    item = a_review(key)
    keys.revoke(key=key, by=THE_SYSTEM)
    with pytest.raises(KeyNotActive):
        reviews.block_key(item=item, by=THE_SYSTEM, reason="an attack")
    item.refresh_from_db()
    assert item.state == "open"


@pytest.mark.parametrize("step", [reviews.block_key, reviews.block_subject], ids=["key", "person"])
def test_to_block_takes_a_reason(key: ApiKey, ada: Subject, step: object) -> None:
    item = a_review(key, surrogate=ada.surrogate)
    with pytest.raises(ValidationError, match="stays in the audit log"):
        step(item=item, by=THE_SYSTEM, reason=" ")  # type: ignore[operator]


def test_the_person_is_blocked(key: ApiKey, ada: Subject) -> None:
    item = reviews.block_subject(item=a_review(key, surrogate=ada.surrogate), by=THE_SYSTEM, reason="an attack")
    ada.refresh_from_db()
    assert ada.blocked_at is not None
    assert (item.state, item.person_blocked_at is not None) == ("confirmed", True)
    [known] = subject_rows.find([(key.tenant_id, str(ada.lookup))]).values()
    assert known.is_blocked
    assert AuditEvent.objects.filter(action="subject.blocked", target_id=str(ada.pk)).exists()


def test_nobody_is_blocked_where_the_request_named_nobody(key: ApiKey) -> None:
    with pytest.raises(ActionRefused, match="named nobody"):
        reviews.block_subject(item=a_review(key), by=THE_SYSTEM, reason="an attack")


def test_whom_it_was_about_is_forgotten_with_the_decisions(key: ApiKey, ada: Subject) -> None:
    item = a_review(key, surrogate=ada.surrogate)
    assert selectors.person_of(item) == ada
    severing.sever(person=Person(key.tenant_id, ada.surrogate), by=THE_SYSTEM)
    assert selectors.person_of(item) is None


# --- people who are blocked ------------------------------------------------------------------------------------------


def test_a_person_is_answered_again(ada: Subject) -> None:
    subjects.block(subject=ada, by=THE_SYSTEM, reason="an attack")
    ada = subjects.unblock(subject=ada, by=THE_SYSTEM)
    assert ada.blocked_at is None
    assert AuditEvent.objects.filter(action="subject.unblocked", target_id=str(ada.pk)).count() == 1


def test_to_block_again_changes_nothing(ada: Subject) -> None:
    once = subjects.block(subject=ada, by=THE_SYSTEM, reason="an attack").blocked_at
    assert subjects.block(subject=ada, by=THE_SYSTEM, reason="again").blocked_at == once
    assert AuditEvent.objects.filter(action="subject.blocked", target_id=str(ada.pk)).count() == 1


def test_gateways_are_told(ada: Subject) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'notice_of_change'")
        assert "blocked_at IS DISTINCT FROM" in cursor.fetchone()[0]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_reviews_go_when_their_time_is_over(key: ApiKey) -> None:
    old = a_review(key, at=datetime.now(UTC) - timedelta(days=400))
    a_review(key)
    policy = RetentionPolicy(tenant_id=key.tenant_id, data_class=Class.METADATA, days=200, reason="a rule")
    retention.add(policy=policy, by=THE_SYSTEM)
    [line] = kept_reviews.plan(Scope(as_of=datetime.now(UTC).date(), tenant_id=key.tenant_id))
    assert (line.rows, line.oldest) == (1, old.at.date())


def test_what_of_a_tenant_is_kept_goes_with_it(key: ApiKey) -> None:
    other = a_key(tenant=a_tenant("umbrella"))[0]
    for each in (key, other):
        a_review(each)
    assert reviews.delete_of_tenant(tenant_id=key.tenant_id, by=THE_SYSTEM) == 2
    assert reviews.delete_of_tenant(tenant_id=key.tenant_id, by=THE_SYSTEM) == 0
    assert ReviewItem.objects.get().tenant_id == GuardCount.objects.get().tenant_id == other.tenant_id
