"""Two people: one asks, another one agrees."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from compliance import approvals as registered
from compliance.actions import approvals
from compliance.contracts import Actor, Target
from compliance.errors import ActionRefused, ApprovalRefused
from compliance.models import Approval, AuditEvent
from tests.factories.retention import THE_COUNSEL, THE_OFFICER

ACTION = "thing.broken"
WITH_ROWS = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was carried out."""
    done: list[str] = []
    monkeypatch.setattr(registered, "_handlers", {})
    approvals.on(
        ACTION,
        lambda approval, by: done.append(f"{approval.target_id} by {by.id}"),
        dropped=lambda approval, by: done.append(f"{approval.target_id} dropped"),
    )
    return done


def ask(target_id: str = "1", *, by: Actor = THE_OFFICER, **fields: Any) -> Approval:
    target = Target("thing", target_id)
    return approvals.ask(action=ACTION, target=target, tenant_id=None, reason="it is in the way", by=by, **fields)


@WITH_ROWS
class TestApproval:
    def test_it_works(self, done: list[str]) -> None:
        approval = approvals.approve(approval=ask(), by=THE_COUNSEL, reason="so it is")
        assert (approval.state, approval.decided_by) == ("approved", "user 1002")
        assert done == ["1 by 1002"]

    def test_nothing_is_done_before(self, done: list[str]) -> None:
        ask()
        assert done == []

    def test_who_asked_cannot_agree(self, done: list[str]) -> None:
        approval = ask()
        with pytest.raises(ApprovalRefused, match="another person"):
            approvals.approve(approval=approval, by=THE_OFFICER)
        assert done == []

    def test_not_from_elsewhere_either(self, done: list[str]) -> None:
        approval = ask()
        with pytest.raises(ApprovalRefused, match="another person"):
            approvals.approve(approval=approval, by=Actor(kind="user", id=THE_OFFICER.id, ip="192.0.2.1"))
        assert done == []

    @pytest.mark.parametrize("kind", ["command", "key", "task", "system"])
    def test_only_people_agree(self, done: list[str], kind: str) -> None:
        approval = ask()
        with pytest.raises(ApprovalRefused, match="Only a person"):
            approvals.approve(approval=approval, by=Actor(kind=kind, id="1002"))  # type: ignore[arg-type]
        assert done == []

    def test_the_database_refuses_the_same_person_too(self, done: list[str]) -> None:
        approval = ask()
        with pytest.raises(IntegrityError, match="approval_by_another"), transaction.atomic():
            Approval.objects.filter(pk=approval.pk).update(state="approved", decided_by=approval.requested_by)

    def test_what_cannot_be_done_is_not_approved(self, done: list[str]) -> None:
        def fail(approval: Approval, by: Actor) -> None:
            done.append("begun")
            Approval.objects.filter(pk=approval.pk).update(reason="overwritten")
            raise ActionRefused("not any more")

        approvals.on("thing.lost", fail)
        target = Target("thing", "1")
        approval = approvals.ask(action="thing.lost", target=target, tenant_id=None, reason="why not", by=THE_OFFICER)
        events = AuditEvent.objects.count()
        with pytest.raises(ActionRefused, match="not any more"):
            approvals.approve(approval=approval, by=THE_COUNSEL)
        approval.refresh_from_db()
        assert (approval.state, approval.reason, done) == ("requested", "why not", ["begun"])
        assert AuditEvent.objects.count() == events

    def test_nobody_asks_for_the_same_twice(self, done: list[str]) -> None:
        ask()
        with pytest.raises(ApprovalRefused, match="already"):
            ask(by=THE_COUNSEL)
        assert ask("2").state == "requested"

    def test_it_is_decided_once(self, done: list[str]) -> None:
        approval = ask()
        approvals.reject(approval=approval, by=THE_COUNSEL, reason="no")
        with pytest.raises(ApprovalRefused, match="rejected already"):
            approvals.approve(approval=approval, by=THE_COUNSEL)
        assert done == ["1 dropped"]

    def test_who_asked_may_take_it_back(self, done: list[str]) -> None:
        assert approvals.reject(approval=ask(), by=THE_OFFICER, reason="a mistake").state == "rejected"

    def test_a_reason_is_needed(self, done: list[str]) -> None:
        with pytest.raises(ApprovalRefused, match="Say why"):
            approvals.ask(action=ACTION, target=Target("thing", "1"), tenant_id=None, reason=" ", by=THE_OFFICER)

    def test_what_nobody_carries_out_is_a_fault(self, done: list[str]) -> None:
        with pytest.raises(LookupError, match=r"thing\.unknown"):
            approvals.ask(action="thing.unknown", target=Target("x", "1"), tenant_id=None, reason="x", by=THE_OFFICER)

    def test_each_step_is_on_record(self, done: list[str]) -> None:
        approval = ask()
        approvals.approve(approval=approval, by=THE_COUNSEL, reason="so it is")
        events = AuditEvent.objects.filter(target_kind="approval", target_id=str(approval.pk)).order_by("id")
        assert [(event.action, event.actor_id, event.reason) for event in events] == [
            ("approval.requested", "1001", "it is in the way"),
            ("approval.approved", "1002", "so it is"),
        ]


@WITH_ROWS
class TestExpiry:
    def test_what_was_not_approved_in_time_is_refused(self, done: list[str]) -> None:
        approval = ask(expires_in=timedelta(seconds=-1))
        with pytest.raises(ApprovalRefused, match="in time"):
            approvals.approve(approval=approval, by=THE_COUNSEL)
        assert done == []

    def test_it_is_closed_by_the_clock(self, done: list[str]) -> None:
        approval, other = ask(), ask("2", expires_in=timedelta(days=8))
        at = timezone.now() + timedelta(days=7)
        assert approvals.expire(by=Actor(kind="task", id="expire_approvals"), at=at) == 1
        for row in (approval, other):
            row.refresh_from_db()
        assert (approval.state, other.state, done) == ("expired", "requested", ["1 dropped"])

    def test_it_makes_room_for_another_one(self, done: list[str]) -> None:
        old = ask(expires_in=timedelta(seconds=-1))
        new = ask()
        old.refresh_from_db()
        assert (old.state, new.state, done) == ("expired", "requested", ["1 dropped"])


@pytest.mark.usefixtures("databases")
def test_of_two_who_agree_at_once_one_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    both = threading.Barrier(2, timeout=30)
    monkeypatch.setattr(registered, "_handlers", {})
    approvals.on(ACTION, lambda approval, by: done.append(by.id))
    approval = ask(f"at once {timezone.now().timestamp()}")
    refused: list[str] = []

    def agree(number: str) -> None:
        both.wait()
        try:
            approvals.approve(approval=approval, by=Actor(kind="user", id=number))
        except ApprovalRefused as error:
            refused.append(str(error))
        connections.close_all()

    threads = [threading.Thread(target=agree, args=(number,)) for number in ("2001", "2002")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    approval.refresh_from_db()
    assert len(done) == 1
    assert refused == ["It is approved already."]
    assert approval.decided_by == f"user {done[0]}"
