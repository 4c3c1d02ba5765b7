"""Keys of tenants and people: made, read, destroyed."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connections, transaction
from django.utils import timezone

from compliance import envelope
from compliance.actions import keys
from compliance.envelope import Place
from compliance.errors import DecryptionFailed, KeyDestroyed, KeyStoreUnavailable
from compliance.keyring import store
from compliance.keyring.models import DeadKey, SubjectKey, TenantKey
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PEOPLE = ["eu_alice", "eu_bob", "eu_carol"]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    store.forget()


@pytest.fixture
def acme() -> int:
    return a_tenant().pk


def test_it_works(acme: int) -> None:
    made = keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    assert made == store.subject_keys(acme, PEOPLE)
    assert len({each.key for each in made.values()}) == 3
    assert len(made["eu_alice"].key) == 32


def test_who_has_a_key_keeps_it(acme: int) -> None:
    before = keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE[:2])
    after = keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    assert after.items() >= before.items()
    assert SubjectKey.objects.filter(tenant_id=acme).count() == 3


def test_who_has_no_key_is_absent(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    assert store.subject_keys(acme, PEOPLE).keys() == {"eu_alice"}
    assert store.subject_keys(a_tenant("umbrella").pk, PEOPLE) == {}


def test_no_key_lies_in_the_open(acme: int) -> None:
    made = keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    secret = {each.key for each in made.values()} | set(store.tenant_keys(acme).values())
    for table in ("keys_subjectkey", "keys_tenantkey"):
        for row in read(f"SELECT wrapped, fingerprint FROM {table} WHERE tenant_id = %s", acme):
            assert not any(key in bytes(value) for key in secret for value in row)
    assert not any(key.hex() in repr(each) or repr(key) in repr(each) for key in secret for each in made.values())


def test_a_tenants_key_is_made_with_an_event_that_does_not_hold_it(acme: int) -> None:
    assert keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM) == 1
    event = AuditEvent.objects.get(action="tenantkey.created", tenant_id=acme)
    assert event.after["version"] == 1
    assert "wrapped" not in event.after


def test_new_keys_come_under_the_newest_version(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    made = keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_bob"])
    assert dict(SubjectKey.objects.values_list("surrogate", "tenant_key_version")) == {"eu_alice": 1, "eu_bob": 2}
    assert made == store.subject_keys(acme, PEOPLE)


# --- destroyed ---------------------------------------------------------------------------------------------------


def test_a_destroyed_key_is_gone_and_the_others_stay(acme: int) -> None:
    made = keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    destroyed = keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_alice"], by=THE_SYSTEM, reason="asked for")
    assert [(each.id, each.fingerprint) for each in destroyed] == [
        (made["eu_alice"].id, envelope.fingerprint(made["eu_alice"].key))
    ]
    assert store.subject_keys(acme, PEOPLE) == {name: made[name] for name in ("eu_bob", "eu_carol")}
    row = SubjectKey.objects.get(tenant_id=acme, surrogate="eu_alice")
    assert row.wrapped is None
    assert DeadKey.objects.filter(fingerprint=destroyed[0].fingerprint).exists()
    event = AuditEvent.objects.get(action="subjectkey.destroyed", tenant_id=acme)
    assert (event.target_id, event.reason) == (str(row.pk), "asked for")


def test_destroying_again_tells_the_same(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    first = keys.destroy_subject_keys(tenant_id=acme, surrogates=PEOPLE[:2], by=THE_SYSTEM)
    assert keys.destroy_subject_keys(tenant_id=acme, surrogates=PEOPLE[:2], by=THE_SYSTEM) == first
    assert AuditEvent.objects.filter(action="subjectkey.destroyed", tenant_id=acme).count() == 2


def test_no_other_key_is_made_in_place_of_a_destroyed_one(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_alice"], by=THE_SYSTEM)
    with pytest.raises(KeyDestroyed):
        keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_bob"])
    assert store.subject_keys(acme, PEOPLE) == {}


def test_who_is_erased_without_a_key_gets_none_later(acme: int) -> None:
    assert keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_alice"], by=THE_SYSTEM) == []
    with pytest.raises(KeyDestroyed):
        keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])


def test_a_tenants_destroyed_key_takes_those_of_its_people_with_it(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    remembered = store.tenant_keys(acme)
    destroyed = keys.destroy_tenant_keys(tenant_id=acme, by=THE_SYSTEM, reason="left")
    assert [each.fingerprint for each in destroyed] == [envelope.fingerprint(remembered[1])]
    assert store.tenant_keys(acme) == {}
    assert store.subject_keys(acme, PEOPLE) == {}
    assert keys.destroy_tenant_keys(tenant_id=acme, by=THE_SYSTEM, reason="again") == destroyed


def test_what_another_process_remembers_of_a_destroyed_tenant_key_opens_nothing(
    acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=PEOPLE)
    monkeypatch.setattr(store, "forget", lambda tenant_id=None: None)
    keys.destroy_tenant_keys(tenant_id=acme, by=THE_SYSTEM, reason="left")
    assert store.tenant_keys(acme).keys() == {1}  # still remembered, for a minute at most
    assert store.subject_keys(acme, PEOPLE) == {}
    monkeypatch.undo()


@pytest.mark.parametrize("surrogates", [["eu_alice"], ["eu_dora"]], ids=["who had a key", "who had none"])
def test_a_tenant_that_left_gets_no_keys_again(acme: int, surrogates: list[str]) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    keys.destroy_tenant_keys(tenant_id=acme, by=THE_SYSTEM, reason="left")
    with pytest.raises(KeyDestroyed):
        keys.make_subject_keys(tenant_id=acme, surrogates=surrogates)
    with pytest.raises(KeyDestroyed):
        keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)


# --- what the database holds ---------------------------------------------------------------------------------------


def test_a_key_out_of_a_backup_is_refused(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    kept = SubjectKey.objects.get(tenant_id=acme)
    keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_alice"], by=THE_SYSTEM)
    with refused("stays as it is"):
        kept.save(force_update=True)
    kept.id, kept.surrogate = uuid4(), "eu_mallory"
    with refused("was destroyed"):
        kept.save(force_insert=True)
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_bob"])
    with refused("not exchanged"):
        SubjectKey.objects.filter(surrogate="eu_bob").update(wrapped=kept.wrapped, fingerprint=kept.fingerprint)


def test_a_tenants_key_out_of_a_backup_is_refused(acme: int) -> None:
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    kept = TenantKey.objects.get(tenant_id=acme)
    keys.destroy_tenant_keys(tenant_id=acme, by=THE_SYSTEM, reason="left")
    with refused("stays as it is"):
        kept.save(force_update=True)
    kept.pk, kept.version = None, 2
    with refused("was destroyed"):
        kept.save(force_insert=True)


@pytest.mark.parametrize("table", ["keys_subjectkey", "keys_tenantkey"])
def test_destroying_by_hand_leaves_the_fingerprint_too(acme: int, table: str) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    run(f"UPDATE {table} SET wrapped = NULL, destroyed_at = now() WHERE tenant_id = %s", acme)
    assert read(f"SELECT count(*) FROM {table} JOIN keys_deadkey USING (fingerprint) WHERE tenant_id = %s", acme) == [
        (1,)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM keys_subjectkey",
        "DELETE FROM keys_tenantkey",
        "DELETE FROM keys_deadkey",
        "UPDATE keys_deadkey SET destroyed_at = now()",
        "UPDATE keys_subjectkey SET surrogate = 'eu_bob' WHERE destroyed_at IS NULL",
        "UPDATE keys_subjectkey SET fingerprint = sha256('') WHERE destroyed_at IS NULL",
        "UPDATE keys_tenantkey SET version = version + 1",
        "UPDATE keys_subjectkey SET destroyed_at = NULL, wrapped = '' WHERE destroyed_at IS NOT NULL",
        "UPDATE keys_subjectkey SET destroyed_at = now() + interval '1 day' WHERE destroyed_at IS NOT NULL",
        "TRUNCATE keys_subjectkey",
        "TRUNCATE keys_tenantkey",
        "TRUNCATE keys_deadkey",
        "TRUNCATE keys_signingkey",
        "TRUNCATE keys_retiredroot",
    ],
)
def test_the_database_refuses_to_forget_or_exchange_keys(acme: int, statement: str) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_carol"])
    keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_carol"], by=THE_SYSTEM)
    with refused("is refused|stays as it is|not exchanged"):
        run(statement)


def test_a_persons_key_needs_a_tenants_key_that_is_in_use(acme: int) -> None:
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    TenantKey.objects.filter(tenant_id=acme).update(retired_at=timezone.now())
    for version in (1, 2):
        row = SubjectKey(tenant_id=acme, surrogate="eu_x", tenant_key_version=version, fingerprint=b"f", wrapped=b"w")
        with refused("wraps nothing new"):
            row.save(force_insert=True)


# --- altered, moved, unreachable -----------------------------------------------------------------------------------


def test_a_persons_key_moved_to_another_person_does_not_open(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_bob"])
    alice = SubjectKey.objects.get(tenant_id=acme, surrogate="eu_alice")
    SubjectKey.objects.filter(tenant_id=acme, surrogate="eu_bob").update(wrapped=alice.wrapped)
    with pytest.raises(DecryptionFailed):
        store.subject_keys(acme, ["eu_bob"])


def test_a_tenants_key_moved_to_another_tenant_does_not_open(acme: int) -> None:
    umbrella = a_tenant("umbrella").pk
    for tenant_id in (acme, umbrella):
        keys.make_tenant_key(tenant_id=tenant_id, by=THE_SYSTEM)
    theirs = TenantKey.objects.get(tenant_id=umbrella).wrapped
    TenantKey.objects.filter(tenant_id=acme).update(wrapped=theirs)
    store.forget()
    with pytest.raises(DecryptionFailed):
        store.tenant_keys(acme)


def test_a_key_that_is_not_the_one_of_its_row_is_noticed(acme: int) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    row, above = SubjectKey.objects.get(tenant_id=acme), store.tenant_keys(acme)[1]
    place = store.place_of(acme, "eu_alice", row.pk)
    SubjectKey.objects.filter(pk=row.pk).update(wrapped=envelope.wrap(envelope.new_key(), under=above, context=place))
    with pytest.raises(DecryptionFailed):
        store.subject_keys(acme, ["eu_alice"])


def test_without_the_root_key_nothing_opens(acme: int, settings: Any) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    store.forget()
    settings.ROOT_KEYS = {1: b"another root key, of 32 bytes..."}
    with pytest.raises(DecryptionFailed):
        store.subject_keys(acme, ["eu_alice"])


def test_tenants_keys_are_remembered_for_a_minute_and_those_of_people_never(
    acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    now = monotonic()
    store.forget()
    assert key_reads(lambda: store.subject_keys(acme, ["eu_alice"])) == 2
    assert key_reads(lambda: store.subject_keys(acme, ["eu_alice"])) == 1
    monkeypatch.setattr(store, "monotonic", lambda: now + 61)
    assert key_reads(lambda: store.subject_keys(acme, ["eu_alice"])) == 2


def test_a_keys_database_that_is_away_says_so(acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    monkeypatch.setattr(connections["keys"], "cursor", away)
    with pytest.raises(KeyStoreUnavailable):
        store.subject_keys(acme, ["eu_alice"])
    with pytest.raises(KeyStoreUnavailable):
        keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])


def test_what_a_destroyed_key_sealed_opens_no_more(acme: int) -> None:
    place = Place(acme, "eu_alice", "external_id", "1", "identity")
    key = keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])["eu_alice"]
    sealed = envelope.seal_record(b"alice@acme.example", key=key.key, key_id=key.id, place=place)
    keys.destroy_subject_keys(tenant_id=acme, surrogates=["eu_alice"], by=THE_SYSTEM)
    everything = [
        bytes(value) for row in read("SELECT wrapped, fingerprint FROM keys_subjectkey") for value in row if value
    ]
    for key_at_hand in (*store.tenant_keys(acme).values(), *(each[:32].ljust(32, b"\0") for each in everything)):
        with pytest.raises(DecryptionFailed):
            envelope.open_record(sealed, key=key_at_hand, place=place)


def key_reads(call: Callable[[], object]) -> int:
    """How many queries of keys `call` makes."""
    made = []

    def noted(execute: Callable[..., object], sql: str, *others: object) -> object:
        made.extend([sql] if "keys_tenantkey" in sql else [])
        return execute(sql, *others)

    with connections["keys"].execute_wrapper(noted):
        call()
    return len(made)


def away(*arguments: object, **options: object) -> object:
    raise OperationalError("connection refused")


class refused:  # noqa: N801 - reads like a function
    """Expects the database to refuse, and lets the transaction go on."""

    def __init__(self, why: str) -> None:
        self._raises = pytest.raises(DatabaseError, match=why)
        self._inside = transaction.atomic(using="keys")

    def __enter__(self) -> None:
        self._raises.__enter__()
        self._inside.__enter__()

    def __exit__(self, *error: object) -> bool | None:
        self._inside.__exit__(*error)  # type: ignore[arg-type]
        return self._raises.__exit__(*error)  # type: ignore[arg-type]


def read(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connections["keys"].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def run(statement: str, *parameters: Any) -> None:
    with connections["keys"].cursor() as cursor:
        cursor.execute(statement, parameters)
