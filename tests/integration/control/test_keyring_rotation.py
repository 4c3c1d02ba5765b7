"""Keys wrapped anew, and versions retired."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from compliance import envelope, sealed, signing
from compliance.actions import keys, rotations, signing_keys
from compliance.envelope import Place
from compliance.errors import ActionRefused, AlreadyRunning, DecryptionFailed, KeyVersionInUse
from compliance.keyring import store, usage
from compliance.keyring.models import RetiredRoot, SigningKey, SubjectKey, TenantKey
from compliance.models import AuditEvent, JobRun
from gateway import credentials
from gateway.models import ProviderCredential
from tests.factories import THE_SYSTEM, a_provider, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLD, NEW = {1: b"\1" * 32}, {1: b"\1" * 32, 2: b"n" * 32}
PEOPLE = [f"eu_{n}" for n in range(25)]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    store.forget()


@pytest.fixture
def acme() -> int:
    tenant_id = a_tenant().pk
    keys.make_subject_keys(tenant_id=tenant_id, surrogates=PEOPLE)
    return tenant_id


def rotate(tenant_id: int, **options: Any) -> rotations.Rotated:
    return rotations.rotate_tenant_key(tenant_id=tenant_id, by=THE_SYSTEM, **options)


# --- a tenant's key ------------------------------------------------------------------------------------------------


def test_it_works(acme: int) -> None:
    before, wrapped = store.subject_keys(acme, PEOPLE), wrapped_keys(acme)
    assert rotate(acme) == rotations.Rotated(version=2, wrapped=25)
    assert store.subject_keys(acme, PEOPLE) == before
    assert versions(acme) == {2: 25}
    assert not wrapped & wrapped_keys(acme)
    assert retired(acme) == {1: True, 2: False}


def test_what_was_sealed_opens_still_and_is_not_touched(acme: int) -> None:
    place, key = Place(acme, "eu_1", "external_id", "1", "identity"), store.subject_keys(acme, ["eu_1"])["eu_1"]
    content = envelope.seal_record(b"alice", key=key.key, key_id=key.id, place=place)
    rotate(acme)
    key = store.subject_keys(acme, ["eu_1"])["eu_1"]
    assert envelope.key_id_of(content) == key.id
    assert envelope.open_record(content, key=key.key, place=place) == b"alice"


def test_a_rotation_that_was_interrupted_is_brought_to_its_end(acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotations, "BATCH", 10)
    with pytest.raises(KeyboardInterrupt):
        rotate(acme, watch=interrupt_at(20))
    assert versions(acme) == {1: 5, 2: 20}
    assert store.subject_keys(acme, PEOPLE).keys() == set(PEOPLE)
    assert rotate(acme) == rotations.Rotated(version=2, wrapped=5)
    assert (versions(acme), retired(acme)) == ({2: 25}, {1: True, 2: False})


def test_keys_that_are_made_meanwhile_are_under_the_new_version(acme: int) -> None:
    rotate(
        acme, watch=lambda done, total: keys.make_subject_keys(tenant_id=acme, surrogates=[f"eu_new_{done}"]) and None
    )
    assert versions(acme) == {2: 27}
    assert retired(acme)[1]


def test_keys_that_come_under_the_old_version_at_the_last_moment_are_wrapped_too(
    acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a process that chose the version before there was a newer one."""
    late, retire = ["eu_late_1", "eu_late_2"], rotations.retire_tenant_key

    def but_first_somebody_comes(**arguments: Any) -> None:
        if late:
            under_version_1(acme, late.pop()).save(force_insert=True)
        retire(**arguments)

    monkeypatch.setattr(rotations, "retire_tenant_key", but_first_somebody_comes)
    rotate(acme)
    assert (versions(acme), retired(acme)[1]) == ({2: 27}, True)
    assert store.subject_keys(acme, ["eu_late_1", "eu_late_2"]).keys() == {"eu_late_1", "eu_late_2"}


def test_destroyed_keys_stay_destroyed(acme: int) -> None:
    keys.destroy_subject_keys(tenant_id=acme, surrogates=PEOPLE[:5], by=THE_SYSTEM)
    assert rotate(acme).wrapped == 20
    assert store.subject_keys(acme, PEOPLE).keys() == set(PEOPLE[5:])
    assert SubjectKey.objects.filter(tenant_id=acme, wrapped=None).count() == 5


def test_another_tenants_keys_are_left_alone(acme: int) -> None:
    umbrella = a_tenant("umbrella").pk
    keys.make_subject_keys(tenant_id=umbrella, surrogates=PEOPLE)
    before = wrapped_keys(umbrella)
    rotate(acme)
    assert wrapped_keys(umbrella) == before


def test_one_rotation_of_a_tenant_runs_at_a_time(acme: int) -> None:
    def again(done: int, total: int) -> None:
        with pytest.raises(AlreadyRunning):
            rotate(acme)

    rotate(acme, watch=again)
    assert versions(acme) == {2: 25}


def test_a_tenant_without_a_key_has_nothing_to_rotate() -> None:
    with pytest.raises(ActionRefused, match="has no key"):
        rotate(a_tenant().pk)


def test_it_is_told_in_the_audit_log_and_among_the_jobs(acme: int) -> None:
    rotate(acme)
    events = AuditEvent.objects.filter(tenant_id=acme, action__startswith="tenantkey.").order_by("id")
    assert [event.action for event in events] == ["tenantkey.created", "tenantkey.created", "tenantkey.retired"]
    run = JobRun.objects.get(kind="rotate_tenant_key")
    assert (run.key, run.state, run.done, run.total) == (str(acme), "done", 25, 25)
    assert run.result == {"version": 2, "wrapped": 25}


def test_a_version_in_use_is_not_retired(acme: int) -> None:
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    with pytest.raises(KeyVersionInUse, match="25 people's keys still need version 1"):
        rotations.retire_tenant_key(tenant_id=acme, version=1, by=THE_SYSTEM)
    with pytest.raises(KeyVersionInUse, match="newest"):
        rotations.retire_tenant_key(tenant_id=acme, version=2, by=THE_SYSTEM)
    assert retired(acme) == {1: False, 2: False}


@pytest.mark.parametrize("named", ["slug", "number"])
def test_the_command_tells_how_far_it_is(named: str) -> None:
    tenant = a_tenant()
    keys.make_subject_keys(tenant_id=tenant.pk, surrogates=PEOPLE)
    out = io.StringIO()
    call_command("rotate_keys", "--tenant", tenant.slug if named == "slug" else str(tenant.pk), stdout=out)
    assert "25 of 25 keys" in out.getvalue()
    assert "Wrapped 25 people's keys under version 2." in out.getvalue()


@pytest.mark.parametrize("named", ["nobody", "999999999", ""])
def test_the_command_refuses_a_tenant_that_is_none(named: str) -> None:
    with pytest.raises(CommandError, match="There is no tenant"):
        call_command("rotate_keys", "--tenant", named)


def test_old_keys_are_due_and_so_are_interrupted_rotations(acme: int) -> None:
    TenantKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
    young, old, interrupted = (a_tenant().pk for _ in range(3))
    for tenant_id in (young, old, interrupted):
        keys.make_tenant_key(tenant_id=tenant_id, by=THE_SYSTEM)
    keys.make_tenant_key(tenant_id=interrupted, by=THE_SYSTEM)
    TenantKey.objects.filter(tenant_id=old).update(created_at=timezone.now() - timedelta(days=366))
    assert rotations.rotate_due(days=365, by=THE_SYSTEM) == [old, interrupted]
    assert (retired(young), retired(old)) == ({1: False}, {1: True, 2: False})
    assert rotations.rotate_due(days=365, by=THE_SYSTEM) == []


# --- the root key ----------------------------------------------------------------------------------------------------


def test_everything_moves_to_the_current_root_key(acme: int, settings: Any) -> None:
    provider, people = a_provider("https://up.example", credential="sk-1"), store.subject_keys(acme, PEOPLE)
    signed = signing.sign({}, kind="receipt")
    contents = wrapped_keys(acme)
    settings.ROOT_KEYS = NEW
    done = rotations.rewrap_root(by=THE_SYSTEM)
    assert (done.version, set(usage.of_root_keys())) == (2, {2})
    assert done.wrapped == sum(usage.of_root_keys()[2].values())
    settings.ROOT_KEYS = {2: NEW[2]}
    store.forget()
    assert store.subject_keys(acme, PEOPLE) == people
    assert wrapped_keys(acme) == contents
    provider.refresh_from_db()
    assert credentials.credential_of(provider) == "sk-1"
    assert set(TenantKey.objects.filter(tenant_id=acme).values_list("root_version", flat=True)) == {2}
    assert signing.verify(signed, public=signing.public_keys())
    assert signing.verify(signing.sign({}, kind="receipt"), public=signing.public_keys())
    assert set(SigningKey.objects.values_list("root_version", flat=True)) == {2}


def test_a_root_rotation_that_was_interrupted_is_brought_to_its_end(acme: int, settings: Any) -> None:
    for _ in range(3):
        keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    settings.ROOT_KEYS = NEW
    with pytest.raises(KeyboardInterrupt):
        rotations.rewrap_root(by=THE_SYSTEM, watch=interrupt_at(2))
    assert set(usage.of_root_keys()) == {1, 2}
    rotations.rewrap_root(by=THE_SYSTEM)
    assert set(usage.of_root_keys()) == {2}


def test_what_does_not_open_keeps_nothing_else_from_being_sealed_anew(acme: int, settings: Any) -> None:
    lost, kept = (a_provider("https://up.example", credential="sk") for _ in range(2))
    ProviderCredential.objects.filter(provider=lost).update(
        sealed=b"\1\0\1" + b"x" * 40,
    )
    settings.ROOT_KEYS = NEW
    with pytest.raises(DecryptionFailed, match="1 provider credentials"):
        rotations.rewrap_root(by=THE_SYSTEM)
    assert usage.of_root_keys()[1] == {"provider credentials": 1}
    kept.refresh_from_db()
    assert credentials.credential_of(kept) == "sk"
    assert JobRun.objects.get(kind="rewrap_root").state == "failed"


def test_a_value_that_changes_meanwhile_is_not_overwritten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = a_provider("https://up.example", credential="sk-old")
    settings.ROOT_KEYS = NEW
    unseal = sealed.unseal

    def and_somebody_else_writes(value: bytes, *, context: str) -> bytes:
        if context == f"provider-credential/{provider.pk}":
            newer = credentials.seal("sk-new", provider=provider)
            ProviderCredential.objects.filter(provider=provider).update(sealed=newer)
        return unseal(value, context=context)

    monkeypatch.setattr(sealed, "unseal", and_somebody_else_writes)
    rotations.rewrap_root(by=THE_SYSTEM)
    monkeypatch.undo()
    provider.refresh_from_db()
    assert credentials.credential_of(provider) == "sk-new"


def test_a_root_key_in_use_is_not_retired(acme: int, settings: Any) -> None:
    a_provider("https://up.example", credential="sk-1")
    with pytest.raises(KeyVersionInUse, match="current one"):
        rotations.retire_root_key(version=1, by=THE_SYSTEM)
    settings.ROOT_KEYS = NEW
    count = usage.of_root_keys()[1]["tenants' keys"]
    with pytest.raises(CommandError, match=f"{count:,} tenants' keys"):
        call_command("retire_root_key", "1")
    assert not RetiredRoot.objects.exists()


@pytest.mark.parametrize(
    "column", ["provider credentials", "signing keys", "tenants' keys", "tenants' salts", "webhook secrets"]
)
def test_every_kind_of_sealed_value_is_known(column: str) -> None:
    assert column in {each.title for each in sealed.columns()}


def test_a_retired_root_key_wraps_nothing_again(acme: int, settings: Any) -> None:
    signing_keys.make_signing_key(by=THE_SYSTEM)
    settings.ROOT_KEYS = NEW
    call_command("rotate_keys", "--root", stdout=io.StringIO())
    rotations.retire_root_key(version=1, by=THE_SYSTEM)
    out = io.StringIO()
    call_command("retire_root_key", "1", stdout=out)
    assert "Nothing needs root key 1 any more, and it is retired" in out.getvalue()
    assert AuditEvent.objects.filter(action="rootkey.retired", target_id="1").count() == 1
    settings.ROOT_KEYS = OLD  # as in a process that was not restarted
    umbrella = a_tenant("umbrella").pk
    for make in (
        lambda: keys.make_tenant_key(tenant_id=umbrella, by=THE_SYSTEM),
        lambda: signing_keys.make_signing_key(by=THE_SYSTEM),
    ):
        with pytest.raises(DatabaseError, match="root key 1 is retired"), transaction.atomic(using="keys"):
            make()


def test_a_secret_that_is_sealed_while_its_root_key_is_retired_is_noticed(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_KEYS = NEW
    rotations.rewrap_root(by=THE_SYSTEM)
    count = usage.of_root_keys

    def and_then_a_process_that_was_not_restarted_seals() -> Any:
        counted = count()
        monkeypatch.setattr(usage, "of_root_keys", count)
        settings.ROOT_KEYS = OLD
        a_provider("https://up.example", credential="sk-late")
        settings.ROOT_KEYS = NEW
        return counted

    monkeypatch.setattr(usage, "of_root_keys", and_then_a_process_that_was_not_restarted_seals)
    with pytest.raises(KeyVersionInUse, match=r"Do not throw root key 1 away.* 1 provider credentials"):
        rotations.retire_root_key(version=1, by=THE_SYSTEM)
    with pytest.raises(KeyVersionInUse, match="still needed"):
        rotations.retire_root_key(version=1, by=THE_SYSTEM)
    rotations.rewrap_root(by=THE_SYSTEM)
    rotations.retire_root_key(version=1, by=THE_SYSTEM)
    assert AuditEvent.objects.filter(action="rootkey.retired").count() == 1


def test_retiring_a_root_key_twice_is_told_once(settings: Any) -> None:
    settings.ROOT_KEYS = NEW
    rotations.rewrap_root(by=THE_SYSTEM)
    for _ in range(2):
        rotations.retire_root_key(version=1, by=THE_SYSTEM)
    assert AuditEvent.objects.filter(action="rootkey.retired").count() == 1


# --- what tests read -------------------------------------------------------------------------------------------------


def under_version_1(tenant_id: int, surrogate: str) -> SubjectKey:
    key, row = envelope.new_key(), SubjectKey(tenant_id=tenant_id, surrogate=surrogate, tenant_key_version=1)
    place = store.place_of(tenant_id, surrogate, row.pk)
    row.wrapped = envelope.wrap(key, under=store.tenant_keys(tenant_id)[1], context=place)
    row.fingerprint = envelope.fingerprint(key)
    return row


def interrupt_at(wanted: int) -> rotations.Watch:
    def watch(done: int, total: int) -> None:
        if done >= wanted:
            raise KeyboardInterrupt

    return watch


def versions(tenant_id: int) -> dict[int, int]:
    return {version: count for (_, version), count in usage.of_tenant_keys([tenant_id]).items()}


def retired(tenant_id: int) -> dict[int, bool]:
    rows = TenantKey.objects.filter(tenant_id=tenant_id)
    return {row.version: row.retired_at is not None for row in rows}


def wrapped_keys(tenant_id: int) -> set[bytes]:
    rows = SubjectKey.objects.filter(tenant_id=tenant_id, wrapped__isnull=False)
    return {bytes(row.wrapped or b"") for row in rows}
