"""Keys that sign are rotated, and what older ones have signed verifies still."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from compliance import signing, tasks
from compliance.actions import audit_log, signing_keys
from compliance.evidence import notes, proofs, tree
from compliance.keyring import signers
from compliance.keyring.models import SigningKey
from compliance.models import AuditCheckpoint, AuditEvent
from tests.factories import THE_SYSTEM, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def checkpoint_of(tenant_id: int) -> AuditCheckpoint:
    a_tenant_event(tenant_id)
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=tenant_id)
    return made


def a_tenant_event(tenant_id: int) -> None:
    from compliance import audit
    from compliance.contracts import Target

    audit.record(by=THE_SYSTEM, action="x.y", target=Target("x", "1"), tenant_id=tenant_id)


def signed_by(made: AuditCheckpoint) -> list[bytes]:
    known = {notes.key_id(made.log.origin, public): public for public in signers.public_keys()}
    return [known[each.key_id] for each in notes.signatures_of(made.note)]


def test_the_first_checkpoint_after_a_rotation_is_signed_by_both_keys(capsys: Any) -> None:
    acme = a_tenant().pk
    before = checkpoint_of(acme)
    call_command("rotate_signing_key")
    between, after = checkpoint_of(acme), checkpoint_of(acme)
    new, old = signers.public_keys()
    assert [signed_by(each) for each in (before, between, after)] == [[old], [old, new], [new]]
    for made, public in ((before, old), (between, old), (between, new), (after, new)):
        opened = notes.open_checkpoint(made.note, origin=made.log.origin, publics=[public])
        assert opened.root == bytes(made.root)
    proof = proofs.consistency(after.log, before.size, after.size)
    assert tree.verify_consistency(before.size, after.size, proof, bytes(before.root), bytes(after.root))
    assert new.hex() in capsys.readouterr().out


def test_what_the_older_key_signed_verifies_still() -> None:
    signed = signing.sign({"a": 1}, kind="receipt")
    signing_keys.make_signing_key(by=THE_SYSTEM)
    assert signing.verify(signed, public=signing.public_keys())
    assert signing.sign({"a": 1}, kind="receipt")["key"] != signed["key"]


@pytest.mark.parametrize(("age", "made"), [(364, 0), (366, 1)])
def test_it_is_rotated_when_it_is_due(age: int, made: int, settings: Settings) -> None:
    settings.SIGNING_KEY_DAYS = 365
    first = signing_keys.make_signing_key(by=THE_SYSTEM)
    SigningKey.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=age))
    assert tasks.rotate_signing_key() == made
    assert tasks.rotate_signing_key() == 0
    assert SigningKey.objects.count() == 1 + made
    assert AuditEvent.objects.filter(action="signingkey.created").count() == 1 + made


def test_it_is_never_rotated_where_nobody_wants_it(settings: Settings) -> None:
    settings.SIGNING_KEY_DAYS = 0
    first = signing_keys.make_signing_key(by=THE_SYSTEM)
    SigningKey.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=9999))
    assert tasks.rotate_signing_key() == 0
