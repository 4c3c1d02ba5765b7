"""What stops an erasure, and until when: holds, until the key is destroyed, and people who change their minds."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from compliance.actions import erasure, keys, request_steps, requests, short_ways, subjects
from compliance.actions.requests import Asked
from compliance.errors import ActionRefused, KeyStoreUnavailable, RequestRefused
from compliance.keyring import store
from compliance.models import AuditEvent, Erasure, ErasureStep, RetentionPolicy, Subject, SubjectRequest, Transcript
from compliance.rights import Right
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_request
from tests.factories.retention import THE_OFFICER, a_hold, release
from tests.integration.control.test_erasure import erased, person_of, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def fenced(subject: Subject, monkeypatch: pytest.MonkeyPatch, request_id: int | None = None) -> Erasure:
    """Behind the fence, the key still there: the key store does not answer."""

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("The keys database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", down)
        return erasure.begin(person=person_of(subject), request_id=request_id, by=THE_SYSTEM)


def later() -> dict[str, int]:
    """What the clock does, once it is due."""
    Erasure.objects.update(requested_at=F("requested_at") - erasure.RETRY_AFTER)
    return erasure.continue_all(by=THE_SYSTEM)


def is_readable(subject: Subject) -> bool:
    rows = Transcript.objects.filter(surrogate=subject.surrogate)
    return rows.exists() and bool(store.subject_keys(subject.tenant_id, [subject.surrogate]))


# --- holds behind the fence ------------------------------------------------------------------------------------------


def test_a_hold_that_is_placed_behind_the_fence_keeps_key_and_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    begun = fenced(ada, monkeypatch)
    hold = a_hold(ada.tenant)
    waiting = erasure.advance(erasure=begun, by=THE_SYSTEM)
    assert (waiting.state, waiting.destroyed_at, waiting.ledger_number) == (Erasure.State.ON_HOLD, None, None)
    assert hold.title in waiting.problem
    assert is_readable(ada)
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.ERASED, "the fence stays"
    release(hold)
    done = erasure.advance(erasure=waiting, by=THE_SYSTEM)
    assert done.state == Erasure.State.COMPLETE
    assert not is_readable(ada)


def test_a_law_that_is_entered_behind_the_fence_keeps_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    begun = fenced(ada, monkeypatch)
    RetentionPolicy.objects.filter(tenant=None, data_class="content").update(
        days=400, floor_days=365, floor_basis="HIPAA, 45 CFR 164.316"
    )
    assert "HIPAA" in erasure.advance(erasure=begun, by=THE_SYSTEM).problem
    assert is_readable(ada)


def test_beginning_again_behind_the_fence_asks_the_holds_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    fenced(ada, monkeypatch)
    a_hold(ada.tenant)
    begun = erasure.begin(person=person_of(ada), request_id=None, by=THE_SYSTEM)
    assert (begun.destroyed_at, begun.ledger_number) == (None, None)
    assert is_readable(ada)


def test_nothing_is_deleted_before_the_key_is_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    begun = fenced(ada, monkeypatch)
    with monkeypatch.context() as patch:

        def down(**_: Any) -> Any:
            raise KeyStoreUnavailable("The keys database does not answer.")

        patch.setattr(keys, "destroy_subject_keys", down)
        assert erasure.advance(erasure=begun, by=THE_SYSTEM).state == Erasure.State.INCOMPLETE
    assert not begun.steps.filter(state=ErasureStep.State.DONE).exists()
    assert Transcript.objects.filter(surrogate=ada.surrogate).exists()


def test_a_hold_that_comes_after_the_key_keeps_no_shell() -> None:
    """What cannot be read any more is nobody's evidence: the certificate follows."""
    ada = somebody()
    begun = erasure.begin(person=person_of(ada), request_id=None, by=THE_SYSTEM)
    a_hold(ada.tenant)
    assert erasure.advance(erasure=begun, by=THE_SYSTEM).state == Erasure.State.COMPLETE


def test_a_request_waits_while_its_erasure_waits_behind_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    request = a_request(ada, "erasure", state="queued")
    fenced(ada, monkeypatch, request.pk)
    hold = a_hold(ada.tenant)
    assert request_steps.execute(request=request, by=THE_SYSTEM).state == "on_hold"
    release(hold)
    assert later() == {Erasure.State.COMPLETE: 1}
    assert request_steps.run_due(by=THE_SYSTEM) == {"fulfilled": 1}


# --- taken back -------------------------------------------------------------------------------------------------------


def a_waiting_request(subject: Subject) -> SubjectRequest:
    """To erase somebody, stopped by a legal hold."""
    row = request_steps.execute(request=a_request(subject, "erasure", state="queued"), by=THE_SYSTEM)
    assert row.state == "on_hold"
    return row


def _withdraw(row: SubjectRequest) -> Any:
    return requests.withdraw(request=row, by=THE_SYSTEM, reason="they took it back")


def _duplicate(row: SubjectRequest) -> Any:
    first = SubjectRequest.objects.filter(subject=row.subject).order_by("pk")[0]
    return requests.mark_duplicate(request=row, of=first, by=THE_SYSTEM)


def _refuse(row: SubjectRequest) -> Any:
    row = requests.review(request=row, by=THE_SYSTEM)
    return requests.refuse(request=row, by=THE_SYSTEM, reason="the law requires it")


@pytest.mark.parametrize("close", [_withdraw, _duplicate, _refuse])
def test_who_has_changed_their_mind_is_not_erased_when_the_hold_ends(close: Any) -> None:
    ada = somebody()
    a_request(ada, "erasure")  # an earlier one, which nobody has decided
    hold = a_hold(ada.tenant)
    close(a_waiting_request(ada))
    assert Erasure.objects.get().state == Erasure.State.CANCELLED
    release(hold)
    assert later() == {}
    ada.refresh_from_db()
    assert ada.state == Subject.State.ACTIVE, "the restriction that came with waiting has ended"
    assert is_readable(ada)
    assert AuditEvent.objects.filter(action="erasure.cancelled").exists()


def test_a_restriction_from_before_outlives_what_was_taken_back() -> None:
    ada = subjects.restrict(subject=somebody(), by=THE_SYSTEM)
    a_hold(ada.tenant)
    _withdraw(a_waiting_request(ada))
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.RESTRICTED


def test_a_restriction_asked_for_meanwhile_outlives_it_too() -> None:
    ada = somebody()
    a_hold(ada.tenant)
    waiting = a_waiting_request(ada)
    request_steps.execute(request=a_request(ada, "restriction", state="queued"), by=THE_SYSTEM)
    _withdraw(waiting)
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.RESTRICTED


def test_who_took_it_back_may_ask_again() -> None:
    ada = somebody()
    hold = a_hold(ada.tenant)
    _withdraw(a_waiting_request(ada))
    release(hold)
    assert short_ways.erase(subject=ada, by=THE_SYSTEM).state in ("queued", "fulfilled")
    assert later() == {Erasure.State.COMPLETE: 1}
    assert sorted(Erasure.objects.values_list("state", flat=True)) == ["cancelled", "complete"]


def test_another_request_for_the_same_goes_on_with_the_erasure() -> None:
    ada = somebody()
    hold = a_hold(ada.tenant)
    first, second = a_waiting_request(ada), a_waiting_request(ada)
    _duplicate(second)
    assert (Erasure.objects.get().state, Erasure.objects.get().request_id) == (Erasure.State.ON_HOLD, first.pk)
    release(hold)
    assert later() == {Erasure.State.COMPLETE: 1}
    assert request_steps.run_due(by=THE_SYSTEM) == {"fulfilled": 1}


def test_nothing_is_begun_for_a_request_that_was_taken_back() -> None:
    """As by a worker that had taken the step just before."""
    ada = somebody()
    request = _withdraw(a_request(ada, "erasure", state="queued"))
    with pytest.raises(ActionRefused, match="taken back"):
        erasure.begin(person=person_of(ada), request_id=request.pk, by=THE_SYSTEM)
    assert is_readable(ada)


def test_behind_the_fence_it_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    request = a_request(ada, "erasure", state="queued")
    fenced(ada, monkeypatch, request.pk)
    with pytest.raises(RequestRefused, match="cannot be taken back"):
        _withdraw(request)
    assert later() == {Erasure.State.COMPLETE: 1}


# --- put on hold by a person ------------------------------------------------------------------------------------------


def test_what_a_person_put_on_hold_is_resumed_by_a_person_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = somebody()
    request = a_request(ada, "erasure", state="queued")

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("The keys database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", down)
        request = request_steps.execute(request=request, by=THE_SYSTEM)
    requests.hold(request=request, by=THE_OFFICER, reason="wait for the lawyer")
    assert request_steps.run_due(by=THE_SYSTEM) == {}
    request.refresh_from_db()
    assert request.state == "on_hold"
    assert later() == {Erasure.State.COMPLETE: 1}, "behind the fence it goes on"
    assert request_steps.run_due(by=THE_SYSTEM) == {}


def test_nobody_is_fenced_whose_request_a_person_put_on_hold() -> None:
    ada = somebody()
    hold = a_hold(ada.tenant)
    request = requests.resume(request=a_waiting_request(ada), by=THE_OFFICER)
    requests.hold(request=request, by=THE_OFFICER, reason="wait for the lawyer")
    release(hold)
    assert later() == {Erasure.State.ON_HOLD: 1}
    assert "put on hold" in Erasure.objects.get().problem
    assert is_readable(ada)
    request = requests.resume(request=request, by=THE_OFFICER)
    assert request_steps.execute(request=request, by=THE_SYSTEM).state == "fulfilled"


# --- restricted meanwhile ---------------------------------------------------------------------------------------------


def test_who_waits_for_their_erasure_stays_restricted() -> None:
    ada = somebody()
    a_hold(ada.tenant)
    erased(ada)
    with pytest.raises(ActionRefused, match="is to be erased"):
        subjects.unrestrict(subject=ada, by=THE_OFFICER, reason="x")
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.RESTRICTED


def test_two_erasures_of_one_person_are_never_open_at_once() -> None:
    ada = somebody()
    a_hold(ada.tenant)
    assert erased(ada).pk == erased(ada).pk
    assert Erasure.objects.filter(surrogate=ada.surrogate).count() == 1


# --- identity ---------------------------------------------------------------------------------------------------------


def test_nothing_is_put_on_hold_before_somebody_has_proved_who_asks() -> None:
    """What follows a hold is review or execution, and both need it."""
    row = requests.receive(subject=somebody(), asked=Asked(right=Right.ACCESS), by=THE_SYSTEM)
    row = requests.acknowledge(request=row, by=THE_SYSTEM)
    row = requests.extend(request=row, by=THE_SYSTEM, reason="complex")
    with pytest.raises(RequestRefused, match="Verify their identity"):
        requests.hold(request=row, by=THE_SYSTEM, reason="wait")


def test_an_old_hold_without_identity_is_not_resumed_into_review() -> None:
    row = requests.receive(subject=somebody(), asked=Asked(right=Right.ACCESS), by=THE_SYSTEM)
    SubjectRequest.objects.filter(pk=row.pk).update(
        state="on_hold", state_before="extended", state_since=timezone.now() - timedelta(days=1)
    )
    with pytest.raises(RequestRefused, match="Verify their identity"):
        requests.resume(request=SubjectRequest.objects.get(pk=row.pk), by=THE_SYSTEM)
