"""What placeholders stand for is kept for those who allow it, for as long as they do, and opens for nobody else."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from compliance import registry
from compliance.actions import consents, erasure
from compliance.errors import DecryptionFailed
from compliance.models import AuditEvent, Erasure, Purpose, Subject
from compliance.registry import Person
from gateway import placeholder_rows, subject_keys, tasks
from gateway.actions import placeholders
from gateway.guards.placeholders import Given, Placeholders, conversation_key
from gateway.models import GuardPlaceholder
from gateway.placeholder_rows import Keep
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_subject
from tests.factories.retention import a_hold, release

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

EMAIL = "ada@example.com"
HOUR_S = 3600


def given(value: str = EMAIL, *, conversation: bytes = b"1") -> Given:
    known = Placeholders(conversation_key(b"k" * 32, application_id=1, end_user="", conversation=conversation))
    known.give("EMAIL", value)
    return known.fresh[0]


def ada(*, consents_to_it: bool = True) -> Subject:
    subject = a_subject(a_tenant())
    if consents_to_it:
        a_consent(subject)
    return subject


def person_of(subject: Subject) -> tuple[int, str]:
    return subject.tenant_id, subject.surrogate


def kept(subject: Subject, *all_given: Given, seconds: int = HOUR_S) -> int:
    return placeholder_rows.remember([Keep(person_of(subject), seconds, each) for each in all_given])


def recalled(subject: Subject, *all_given: Given) -> list[str]:
    found = placeholder_rows.recall(person_of(subject), [each.code for each in all_given])
    return sorted(each.value for each in found)


def expired() -> None:
    """Lets the time of all that is kept pass."""
    GuardPlaceholder.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def test_it_works() -> None:
    subject = ada()
    assert kept(subject, given()) == 1
    assert recalled(subject, given()) == [EMAIL]


def test_nothing_of_it_can_be_read_in_the_table() -> None:
    kept(ada(), given())
    row = GuardPlaceholder.objects.get()
    assert EMAIL.encode() not in bytes(row.sealed)
    assert b"EMAIL" not in bytes(row.sealed)
    assert row.code == given().code


def test_who_has_not_agreed_has_nothing_kept() -> None:
    subject = ada(consents_to_it=False)
    assert kept(subject, given()) == 0
    assert not GuardPlaceholder.objects.exists()


def test_one_who_has_not_agreed_keeps_nothing_from_the_others() -> None:
    yes, no = ada(), ada(consents_to_it=False)
    keeps = [Keep(person_of(subject), HOUR_S, given()) for subject in (no, yes)]
    assert placeholder_rows.remember(keeps) == 1
    assert recalled(yes, given()) == [EMAIL]


def test_somebody_whom_nobody_knows_has_nothing_kept() -> None:
    assert placeholder_rows.remember([Keep((a_tenant().pk, "eu_nobody"), HOUR_S, given())]) == 0


def test_the_insert_itself_asks_for_consent() -> None:
    """Whatever was asked before: a withdrawal in between holds."""
    subject = ada()
    key = subject_keys.of({person_of(subject)})[person_of(subject)]
    row = placeholder_rows._row(Keep(person_of(subject), HOUR_S, given()), key)
    consents.withdraw(subject=subject, purpose=Purpose.STORE_CONVERSATIONS, by=THE_SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute(placeholder_rows._STORE, [*([value] for value in row), placeholder_rows.PURPOSE])
        assert cursor.fetchone() == (0,)


def test_a_person_gets_nothing_of_another() -> None:
    subject, eve = ada(), ada()
    kept(subject, given())
    assert recalled(eve, given()) == []


def test_a_row_that_was_moved_to_somebody_else_does_not_open() -> None:
    subject, eve = ada(), ada()
    kept(subject, given())
    kept(eve, given("eve@example.com", conversation=b"2"))
    GuardPlaceholder.objects.filter(surrogate=subject.surrogate).update(
        surrogate=eve.surrogate, tenant_id=eve.tenant_id
    )
    with pytest.raises(DecryptionFailed):
        recalled(eve, given())


def test_what_has_expired_is_not_restored() -> None:
    subject = ada()
    kept(subject, given())
    expired()
    assert recalled(subject, given()) == []


def test_what_is_kept_again_is_kept_for_longer_and_never_for_less() -> None:
    subject = ada()
    kept(subject, given(), seconds=10 * HOUR_S)
    first = GuardPlaceholder.objects.get().expires_at
    kept(subject, given(), seconds=HOUR_S)
    assert GuardPlaceholder.objects.get().expires_at == first
    kept(subject, given(), seconds=20 * HOUR_S)
    assert GuardPlaceholder.objects.get().expires_at > first
    assert recalled(subject, given()) == [EMAIL]


def test_what_a_person_takes_back_is_not_restored_and_goes() -> None:
    subject = ada()
    kept(subject, given())
    consents.withdraw(subject=subject, purpose=Purpose.STORE_CONVERSATIONS, by=THE_SYSTEM)
    assert recalled(subject, given()) == []
    assert placeholders.purge(by=THE_SYSTEM) == 1
    assert not GuardPlaceholder.objects.exists()


def test_of_a_restricted_person_nothing_is_kept_or_restored() -> None:
    subject = ada()
    kept(subject, given())
    Subject.objects.filter(pk=subject.pk).update(state=Subject.State.RESTRICTED)
    assert recalled(subject, given()) == []
    assert kept(subject, given("another@example.com")) == 0


def test_a_purge_takes_what_has_expired_and_says_so() -> None:
    subject, other = ada(), ada()
    kept(subject, given(), given("b@example.com"))
    expired()
    kept(other, given())
    assert placeholders.purge(by=THE_SYSTEM) == 2
    assert recalled(other, given()) == [EMAIL]
    event = AuditEvent.objects.get(action="guardplaceholder.purged")
    assert (event.tenant_id, event.after) == (subject.tenant_id, {"placeholders": 2})
    assert placeholders.purge(by=THE_SYSTEM) == 0


def test_the_task_purges() -> None:
    kept(ada(), given())
    expired()
    assert tasks.purge_placeholders() == 1


def test_a_purge_goes_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "SLICE", 2)
    kept(ada(), *(given(f"{number}@example.com") for number in range(5)))
    expired()
    assert placeholders.purge(by=THE_SYSTEM) == 5


def test_what_a_legal_hold_covers_stays_unread_until_the_hold_ends() -> None:
    subject = ada()
    hold = a_hold(subject.tenant, scope="subject", surrogate=subject.surrogate)
    kept(subject, given())
    expired()
    assert placeholders.purge(by=THE_SYSTEM) == 0
    assert recalled(subject, given()) == []
    release(hold)
    assert placeholders.purge(by=THE_SYSTEM) == 1


def test_an_erasure_takes_it_and_nothing_comes_after() -> None:
    subject = ada()
    kept(subject, given())
    begun = erasure.begin(person=Person(*person_of(subject)), request_id=None, by=THE_SYSTEM)
    assert recalled(subject, given()) == []
    assert kept(subject, given("late@example.com")) == 0
    assert erasure.advance(erasure=begun, by=THE_SYSTEM).state == Erasure.State.COMPLETE
    assert not GuardPlaceholder.objects.filter(surrogate=subject.surrogate).exists()


@pytest.fixture
def store() -> registry.Store:
    [found] = [each for each in registry.stores() if each.name == "gateway.guardplaceholder"]
    return found


def test_a_person_s_export_has_the_values(store: registry.Store) -> None:
    subject = ada()
    kept(subject, given())
    kept(ada(), given("eve@example.com"))
    assert store.export
    [row] = store.export(Person(*person_of(subject)))
    assert (row["value"], row["code"], row["sealed"]) == (EMAIL, given().code, None)


def test_a_tenant_that_leaves_takes_it_along(store: registry.Store) -> None:
    subject, other = ada(), ada()
    kept(subject, given())
    kept(other, given())
    assert store.erase_tenant
    assert store.erase_tenant(subject.tenant_id) == 1
    assert store.erase_tenant(subject.tenant_id) == 0
    assert recalled(other, given()) == [EMAIL]


def test_a_row_belongs_to_somebody() -> None:
    with pytest.raises(IntegrityError, match="guard_placeholder_of_somebody"):
        GuardPlaceholder.objects.create(
            tenant_id=1,
            surrogate="",
            code="a" * 12,
            key_id="00000000-0000-0000-0000-000000000000",
            created_at=timezone.now(),
            expires_at=timezone.now(),
        )
