"""What is broken for one person must not keep another from being erased, nor themselves for ever."""

from typing import Any

import pytest
from django.db import connections
from django.db.models import F

from compliance import erasure_ledger
from compliance.actions import erasure, erasure_fence, keys, replays
from compliance.errors import KeyStoreUnavailable
from compliance.keyring import store
from compliance.keyring.models import SubjectKey
from compliance.models import Erasure, Subject
from tests.factories import THE_SYSTEM
from tests.factories.retention import a_hold, release
from tests.integration.control.test_erasure import erased, person_of, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def two_that_are_due(monkeypatch: pytest.MonkeyPatch) -> tuple[Subject, Subject]:
    """Both begun while the key store was down, ada first."""
    ada, bob = somebody(), somebody()

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", down)
        for each in (ada, bob):
            erasure.begin(person=person_of(each), request_id=None, by=THE_SYSTEM)
    Erasure.objects.update(requested_at=F("requested_at") - 2 * erasure.RETRY_AFTER)
    return ada, bob


def test_an_error_that_nobody_thought_of_stops_one_erasure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = two_that_are_due(monkeypatch)
    destroy = keys.destroy_subject_keys

    def poisoned(*, surrogates: Any, **about: Any) -> Any:
        if ada.surrogate in surrogates:
            raise ValueError("poison, with a name in it")
        return destroy(surrogates=surrogates, **about)

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", poisoned)
        assert erasure.continue_all(by=THE_SYSTEM) == {Erasure.State.INCOMPLETE: 1, Erasure.State.COMPLETE: 1}
    broken = Erasure.objects.get(surrogate=ada.surrogate)
    assert broken.problem == "destroy: ValueError", "what went wrong is shown by its kind, without its text"
    assert erasure.continue_all(by=THE_SYSTEM) == {Erasure.State.COMPLETE: 1}


def test_an_error_outside_of_its_steps_stops_one_only_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = two_that_are_due(monkeypatch)
    conclude = erasure._conclude

    def poisoned(row: Erasure) -> Erasure:
        if row.surrogate == ada.surrogate:
            raise ValueError("poison")
        return conclude(row)

    monkeypatch.setattr(erasure, "_conclude", poisoned)
    assert erasure.continue_all(by=THE_SYSTEM) == {"failed": 1, Erasure.State.COMPLETE: 1}


def test_a_key_that_was_damaged_is_destroyed_like_any_other() -> None:
    ada = somebody()
    key = SubjectKey.objects.get(surrogate=ada.surrogate)
    with connections["keys"].cursor() as cursor:
        cursor.execute("UPDATE keys_subjectkey SET wrapped = %s WHERE id = %s", [b"\x01" + bytes(59), key.pk])
    done = erased(ada)
    assert (done.state, done.problem) == (Erasure.State.COMPLETE, "")
    assert "no key that could seal" in (done.certificate or {})["payload"]["canary"]


def test_a_key_store_that_is_down_when_the_canary_is_sealed_destroys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()

    def down(*_: Any) -> Any:
        raise KeyStoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(store, "subject_keys", down)
        assert erased(ada).destroyed_at is None
    assert store.subject_keys(ada.tenant_id, [ada.surrogate])
    assert erased(ada).state == Erasure.State.COMPLETE


def test_who_lost_their_lookup_while_waiting_is_erased_without_a_successor() -> None:
    """As when their tenant was off-boarded meanwhile; and the ledger can be replayed all the same."""
    ada, bob = somebody(), somebody()
    for each in (ada, bob):
        hold = a_hold(each.tenant)
        assert erased(each).state == Erasure.State.ON_HOLD
        Subject.objects.filter(pk=each.pk).update(state="erased", lookup=None, external_id=None)
        release(hold)
        assert erased(each).state == Erasure.State.COMPLETE
    assert [entry.successor for entry in erasure_ledger.read()] == ["", ""]
    assert replays.replay(by=THE_SYSTEM).again == ()
    assert not Subject.objects.filter(surrogate="").exists()


def test_who_is_fenced_by_two_at_once_has_one_successor() -> None:
    """The second one waits for the first, and finds it done, whatever it knew before."""
    ada = somebody()
    hold = a_hold(ada.tenant)
    waiting = erased(ada)
    release(hold)
    first = erasure_fence.put_up_if_released(erasure=waiting, by=THE_SYSTEM)
    second = erasure_fence.put_up_if_released(erasure=waiting, by=THE_SYSTEM)
    assert first.successor == second.successor != ""
    assert Subject.objects.filter(tenant=ada.tenant).count() == 2
