"""The one table that tells who is behind a surrogate."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from compliance import external_ids, selectors
from compliance.actions import keys, subjects
from compliance.errors import ActionRefused, DecryptionFailed, KeyDestroyed, KeyStoreUnavailable, SubjectErased
from compliance.lookups import lookup_of
from compliance.models import AuditEvent, Subject
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def test_it_works() -> None:
    acme = a_tenant()
    ada = a_subject(acme, "ada@example.com")
    assert selectors.find(tenant_id=acme.pk, external_id="ada@example.com") == ada
    assert a_subject(acme, "ada@example.com") == ada
    assert "ada@" not in ada.surrogate
    assert "example" not in ada.surrogate


def test_a_surrogate_is_not_what_the_external_id_hashes_to() -> None:
    acme = a_tenant()
    ada = a_subject(acme, "ada")
    assert ada.surrogate != ada.lookup == lookup_of(acme.pk, "ada")


def test_many_are_resolved_at_once_and_only_new_ones_are_added() -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    names = {lookup_of(acme.pk, f"p{n}"): f"p{n}" for n in range(20)}
    known = subjects.resolve(tenant_id=acme.pk, wanted=dict(list(names.items())[:10]))
    everybody = subjects.resolve(tenant_id=acme.pk, wanted=names)
    assert everybody.keys() == names.keys()
    assert {lookup: everybody[lookup] for lookup in known} == known
    assert Subject.objects.filter(tenant=acme).count() == 20
    assert not Subject.objects.filter(tenant=umbrella).exists()


# --- what is kept of who they are --------------------------------------------------------------------------------


def test_the_external_id_is_kept_encrypted_under_the_persons_own_key() -> None:
    ada = a_subject(external_id="ada@example.com")
    assert ada.external_id is not None
    assert b"ada" not in bytes(ada.external_id)
    assert external_ids.external_id_of(ada) == "ada@example.com"


def test_it_opens_in_no_other_persons_row() -> None:
    acme = a_tenant()
    ada, bob = a_subject(acme, "ada"), a_subject(acme, "bob")
    bob.external_id = ada.external_id
    with pytest.raises(DecryptionFailed):
        external_ids.external_id_of(bob)


def test_once_the_key_is_destroyed_nobody_can_tell_who_it_was() -> None:
    ada = a_subject(external_id="ada")
    keys.destroy_subject_keys(tenant_id=ada.tenant_id, surrogates=[ada.surrogate], by=THE_SYSTEM)
    with pytest.raises(KeyDestroyed):
        external_ids.external_id_of(ada)


def test_while_the_key_store_is_down_people_are_enrolled_and_named_later(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = a_tenant()
    with monkeypatch.context() as patch:
        patch.setattr(keys, "make_subject_keys", down)
        ada = a_subject(acme, "ada")
        assert ada.external_id is None
    again = a_subject(acme, "ada")
    assert again.pk == ada.pk
    assert external_ids.external_id_of(again) == "ada"


def down(**_: Any) -> None:
    raise KeyStoreUnavailable("down")


@pytest.mark.parametrize("external_id", ["ada\x00", "a\x7fda", "\x1bada"])
def test_it_is_the_same_person_whatever_control_characters_come_along(external_id: str) -> None:
    """The gateway takes them out of every request before it looks."""
    acme = a_tenant()
    assert a_subject(acme, external_id) == a_subject(acme, "ada")


@pytest.mark.parametrize("external_id", ["", " ", "x" * 129])
def test_an_id_that_names_nobody_is_refused(external_id: str) -> None:
    with pytest.raises(ValidationError):
        subjects.enrol(tenant_id=a_tenant().pk, external_id=external_id, by=THE_SYSTEM)


# --- states ------------------------------------------------------------------------------------------------------


def test_who_was_erased_stays_so_and_is_not_named_again() -> None:
    acme = a_tenant()
    ada = a_subject(acme, "ada")
    Subject.objects.filter(pk=ada.pk).update(state="erased", external_id=None)
    again = a_subject(acme, "ada")
    assert (again.pk, again.state, again.external_id) == (ada.pk, "erased", None)
    for act in (subjects.restrict, subjects.unrestrict):
        with pytest.raises(SubjectErased):
            act(subject=ada, by=THE_SYSTEM)


def test_enrolling_again_needs_a_reason_and_somebody_who_was_erased() -> None:
    ada = a_subject()
    with pytest.raises(ActionRefused, match="is not erased"):
        subjects.reenrol(subject=ada, by=THE_SYSTEM, reason="they came back")
    Subject.objects.filter(pk=ada.pk).update(state="erased", external_id=None)
    with pytest.raises(ValidationError, match="Say why"):
        subjects.reenrol(subject=ada, by=THE_SYSTEM, reason=" ")
    assert subjects.reenrol(subject=ada, by=THE_SYSTEM, reason="they came back").state == "active"
    assert AuditEvent.objects.get(action="subject.reenrolled", target_id=str(ada.pk)).reason == "they came back"


def test_what_an_erasure_left_behind_is_nobody() -> None:
    ada = a_subject()
    Subject.objects.filter(pk=ada.pk).update(state="erased", external_id=None, lookup=None)
    with pytest.raises(ActionRefused, match="stands for nobody"):
        subjects.reenrol(subject=ada, by=THE_SYSTEM, reason="they came back")
    assert not selectors.subjects_of(tenant_id=ada.tenant_id).exists()
