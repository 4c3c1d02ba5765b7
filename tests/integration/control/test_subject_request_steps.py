"""Carrying out: step by step, wherever it stopped before, until it is done or somebody is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.utils import timezone

from compliance import sealing, selectors
from compliance.actions import consents, exports, identity, request_steps, requests, subjects
from compliance.actions.request_steps import TRIES
from compliance.errors import KeyDestroyed, KeyStoreUnavailable
from compliance.models import Erasure, Rectification, RequestStep, Subject, SubjectRequest
from compliance.rectifications import statements_of
from compliance.registry import Person
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_member, a_request, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

STORE = "store_conversations"


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Any) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


def run(request: SubjectRequest) -> SubjectRequest:
    request_steps.run_due(by=THE_SYSTEM)
    request.refresh_from_db()
    return request


def in_time(request: SubjectRequest) -> SubjectRequest:
    """The same, once every wait is over."""
    request.steps.filter(try_at__isnull=False).update(try_at=timezone.now() - timedelta(seconds=1))
    return run(request)


def test_it_works() -> None:
    request = run(a_request(state="queued"))
    assert request.state == "fulfilled"
    assert request.closed_at
    assert request.result["export"] == str(request.export.pk)
    steps = list(request.steps.all())
    assert {step.state for step in steps} == {"done"}
    assert steps[-1].store == "export"
    assert request.result["rows"] == {step.store: step.rows for step in steps}


def test_a_restriction_restricts() -> None:
    request = run(a_request(right="restriction", state="queued"))
    assert request.state == "fulfilled"
    request.subject.refresh_from_db()
    assert request.subject.state == "restricted"


@pytest.mark.parametrize("right", ["opt_out", "limit"])
def test_an_opt_out_ends_what_a_browsers_signal_would_end_and_nothing_else(right: str) -> None:
    ada = a_subject()
    for purpose in (STORE, "training", "analytics"):
        a_consent(ada, purpose)
    request = run(a_request(ada, right, state="queued"))
    assert request.state == "fulfilled"
    allowed = {each for each in (STORE, "training", "analytics") if selectors.allows(subject=ada, purpose=each)}
    assert allowed == {STORE}


@pytest.mark.parametrize(("purpose", "left"), [("", set()), ("training", {STORE, "analytics"})], ids=["all", "one"])
def test_an_objection_that_is_upheld_ends_what_it_is_about(purpose: str, left: set[str]) -> None:
    ada = a_subject()
    for each in (STORE, "training", "analytics"):
        a_consent(ada, each)
    request = run(a_request(ada, "objection", purpose=purpose, state="queued"))
    assert request.state == "fulfilled"
    assert [step.store for step in request.steps.all()] == ["restriction", "consents"]
    assert {each for each in (STORE, "training", "analytics") if selectors.allows(subject=ada, purpose=each)} == left
    ada.refresh_from_db()
    assert ada.state == "restricted"


def test_who_objects_is_restricted_while_it_is_looked_into_and_until_an_officer_ends_it() -> None:
    request = a_request(right="objection", state="acknowledged")
    assert Subject.objects.get(pk=request.subject_id).state == "active"
    request = requests.review(request=identity.vouch(request=request, by=THE_SYSTEM), by=THE_SYSTEM)
    assert Subject.objects.get(pk=request.subject_id).state == "restricted"
    requests.refuse(request=request, by=THE_SYSTEM, reason="compelling grounds")
    assert Subject.objects.get(pk=request.subject_id).state == "restricted"
    subjects.unrestrict(subject=request.subject, by=THE_SYSTEM)
    assert Subject.objects.get(pk=request.subject_id).state == "active"


def test_a_withdrawal_ends_one_consent_or_all() -> None:
    ada = a_subject()
    for purpose in (STORE, "training"):
        a_consent(ada, purpose)
    run(a_request(ada, "withdrawal", purpose="training", state="queued"))
    assert selectors.allows(subject=ada, purpose=STORE)
    assert not selectors.allows(subject=ada, purpose="training")
    run(a_request(ada, "withdrawal", state="queued"))
    assert not selectors.allows(subject=ada, purpose=STORE)


def test_a_correction_is_filed_under_the_persons_key_and_shown() -> None:
    words = "It was Tuesday, not Monday."
    request = run(a_request(right="rectification", details=words, state="queued"))
    assert request.state == "fulfilled"
    row = Rectification.objects.get(request=request)
    assert words.encode() not in bytes(row.statement)
    person = Person(request.tenant_id, request.subject.surrogate)
    assert [each.text for each in statements_of(person)] == [words]


def test_an_erasure_ends_with_its_certificate() -> None:
    ada = a_subject()
    request = run(a_request(ada, "erasure", details="please", state="queued"))
    assert request.state == "fulfilled", [(step.store, step.error) for step in request.steps.all()]
    erasure = Erasure.objects.get(pk=request.result["erasure"])
    assert erasure.certificate
    assert erasure.request_id == request.pk
    assert request.details is None


# --- resuming ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As good as kill -9: nothing after it runs."""


def test_a_worker_that_died_at_any_step_is_followed_by_one_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    request = a_request(state="queued")
    collect, died = exports.collect, []

    def dies(**about: Any) -> int:
        name = about["store"].name
        if name not in died:
            died.append(name)
            raise Killed
        return collect(**about)

    monkeypatch.setattr(exports, "collect", dies)
    with pytest.raises(Killed):
        run(request)
    request.refresh_from_db()
    steps = request.steps.exclude(store="export").count()
    assert steps > 3
    for _ in range(steps - 1):
        run(request)
        assert request.state == "executing", "nobody takes a step that is in somebody's hands"
        with pytest.raises(Killed):
            in_time(request)
    assert in_time(request).state == "fulfilled"
    assert sorted(died) == sorted(step.store for step in request.steps.exclude(store="export"))


def test_a_step_that_fails_is_tried_later_and_later_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    request = a_request(right="restriction", state="queued")
    a_member(request.tenant, "officer@acme.example", role="officer")

    def down(**_: Any) -> None:
        raise KeyStoreUnavailable("The keys database does not answer.")

    monkeypatch.setattr(subjects, "restrict", down)
    waits = []
    for _ in range(TRIES - 1):
        assert in_time(request).state == "executing"
        waits.append(request.steps.get().try_at - timezone.now())
    assert waits == sorted(waits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.transaction.on_commit", lambda call, **_: call())
        assert in_time(request).state == "failed"
    assert request.steps.get().error == "The keys database does not answer."
    assert [(message.to, "Failed" in message.subject) for message in mail.outbox] == [(["officer@acme.example"], True)]
    monkeypatch.undo()
    request_steps.retry(request=request, by=THE_SYSTEM, reason="it is back")
    assert run(request).state == "fulfilled"


def test_a_step_whose_workers_die_each_time_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    request = a_request(right="restriction", state="queued")

    def dies(**_: Any) -> None:
        raise Killed

    monkeypatch.setattr(subjects, "restrict", dies)
    for _ in range(TRIES):
        with pytest.raises(Killed):
            in_time(request)
    assert in_time(request).state == "failed"


def test_what_does_not_hold_when_it_is_looked_at_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    request = a_request(right="restriction", state="queued")
    restrict = subjects.restrict

    def nothing(*, subject: Subject, **_: Any) -> Subject:
        return subject

    monkeypatch.setattr(subjects, "restrict", nothing)
    assert run(request).state == "executing"
    assert request.steps.get().error == "the person is not restricted"
    monkeypatch.setattr(subjects, "restrict", restrict)
    assert in_time(request).state == "fulfilled"


def test_a_part_that_is_not_on_this_machine_is_collected_again(settings: LazySettings, tmp_path: Any) -> None:
    request = a_request(state="queued")
    assemble = exports.assemble

    def elsewhere(**about: Any) -> Any:
        settings.EXPORTS_DIR = tmp_path / "elsewhere"
        return assemble(**about)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "assemble", elsewhere)
        assert run(request).state == "executing"
    assert RequestStep.objects.filter(request=request, state="done").count() == 0
    assert in_time(request).state == "fulfilled"


def test_a_decision_once_withdrawn_is_not_carried_out() -> None:
    request = a_request(right="restriction", state="queued")
    requests.withdraw(request=request, by=THE_SYSTEM)
    run(request)
    request.subject.refresh_from_db()
    assert (request.state, request.subject.state) == ("withdrawn", "active")


def test_a_request_put_on_hold_between_two_steps_stops_there() -> None:
    request = a_request(state="queued")
    collect = exports.collect

    def held_meanwhile(**about: Any) -> int:
        requests.hold(request=request, by=THE_SYSTEM, reason="a court order arrived")
        return collect(**about)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "collect", held_meanwhile)
        assert run(request).state == "on_hold"
    assert request.steps.filter(state="done").count() == 1
    requests.resume(request=request, by=THE_SYSTEM)
    assert run(request).state == "fulfilled"


def test_consents_that_were_withdrawn_before_are_none_of_the_rows() -> None:
    ada = a_subject()
    a_consent(ada, "training")
    consents.withdraw(subject=ada, purpose="training", by=THE_SYSTEM)
    assert run(a_request(ada, "opt_out", state="queued")).result["rows"] == {"consents": 0}


def test_what_was_destroyed_takes_the_words_with_it() -> None:
    request = a_request(details="my words")
    run(a_request(request.subject, "erasure", state="queued"))
    with pytest.raises(KeyDestroyed):
        sealing.key_of(request.subject)
    request.refresh_from_db()
    assert request.details is None
