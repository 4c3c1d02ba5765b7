"""One-time codes: eight digits, an hour, five tries, whoever tries at once."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from compliance.actions import identity
from compliance.actions.identity import MOST_CODES, TRIES
from compliance.errors import CodeRefused, IllegalMove, RequestRefused
from compliance.models import AuditEvent, SubjectRequest
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_request

ROLLED_BACK = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def a_coded_request() -> tuple[SubjectRequest, str]:
    request = a_request(state="acknowledged")
    code = identity.make_code(request=request, by=THE_SYSTEM)
    request.refresh_from_db()
    return request, code


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08}"


@ROLLED_BACK
def test_it_works() -> None:
    request, code = a_coded_request()
    assert re.fullmatch(r"\d{8}", code)
    assert request.state == "identity_pending"
    proved = identity.verify(request=request, code=code, by=THE_SYSTEM)
    assert (proved.state, proved.identity) == ("identity_verified", "code")
    assert proved.code_hash is None


@ROLLED_BACK
def test_a_code_is_nowhere_in_clear() -> None:
    request, code = a_coded_request()
    rows = [str(vars(request)), *(str(vars(event)) for event in request.events.all())]
    rows += [str(vars(event)) for event in AuditEvent.objects.filter(target_id=str(request.pk))]
    assert not [row for row in rows if code in row]
    assert len(bytes(request.code_hash or b"")) == 32


@ROLLED_BACK
def test_five_tries_and_no_more_even_with_the_right_code() -> None:
    request, code = a_coded_request()
    for left in range(TRIES - 1, -1, -1):
        with pytest.raises(CodeRefused, match=f"{left} tries"):
            identity.verify(request=request, code=other_than(code), by=THE_SYSTEM)
    with pytest.raises(CodeRefused, match="too often"):
        identity.verify(request=request, code=code, by=THE_SYSTEM)
    assert request.events.filter(kind="code_refused").count() == TRIES


@ROLLED_BACK
def test_a_code_is_good_once() -> None:
    request, code = a_coded_request()
    identity.verify(request=request, code=code, by=THE_SYSTEM)
    with pytest.raises(CodeRefused):
        identity.verify(request=request, code=code, by=THE_SYSTEM)


@ROLLED_BACK
def test_a_code_is_too_old_after_an_hour() -> None:
    request, code = a_coded_request()
    assert request.code_expires_at is not None
    assert abs(request.code_expires_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    SubjectRequest.objects.filter(pk=request.pk).update(code_expires_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(CodeRefused, match="too old"):
        identity.verify(request=request, code=code, by=THE_SYSTEM)


@ROLLED_BACK
def test_a_code_of_one_request_is_none_of_another() -> None:
    (first, code), (second, _) = a_coded_request(), a_coded_request()
    SubjectRequest.objects.filter(pk=second.pk).update(code_hash=first.code_hash)
    with pytest.raises(CodeRefused):
        identity.verify(request=second, code=code, by=THE_SYSTEM)


@ROLLED_BACK
def test_another_code_voids_the_one_before_and_comes_not_too_soon_nor_too_often() -> None:
    request, first = a_coded_request()
    with pytest.raises(RequestRefused, match="less than a minute"):
        identity.make_code(request=request, by=THE_SYSTEM)
    codes = [first]
    for _ in range(MOST_CODES - 1):
        SubjectRequest.objects.filter(pk=request.pk).update(code_made_at=timezone.now() - timedelta(minutes=2))
        codes.append(identity.make_code(request=request, by=THE_SYSTEM))
    SubjectRequest.objects.filter(pk=request.pk).update(code_made_at=timezone.now() - timedelta(minutes=2))
    with pytest.raises(RequestRefused, match="Five codes"):
        identity.make_code(request=request, by=THE_SYSTEM)
    assert first != codes[-1]
    with pytest.raises(CodeRefused):
        identity.verify(request=request, code=first, by=THE_SYSTEM)
    assert identity.verify(request=request, code=codes[-1], by=THE_SYSTEM).state == "identity_verified"


@ROLLED_BACK
def test_no_code_is_made_for_what_is_decided() -> None:
    with pytest.raises(IllegalMove):
        identity.make_code(request=a_request(state="queued"), by=THE_SYSTEM)


def test_tries_made_at_once_are_all_counted(databases: None) -> None:
    """The race that a check before an increment loses: thirty guesses at the same moment are five tries."""
    request, code = a_coded_request()
    ready, answers = threading.Barrier(30), []

    def guess() -> None:
        ready.wait()
        try:
            identity.verify(request=request, code=other_than(code), by=THE_SYSTEM)
        except CodeRefused as error:
            answers.append("tries are left" in str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), sum(answers)) == (30, TRIES)
    request.refresh_from_db()
    assert request.code_attempts == TRIES


def test_a_try_is_counted_though_what_follows_it_fails(databases: None, monkeypatch: pytest.MonkeyPatch) -> None:
    request, code = a_coded_request()

    def breaks(**_: object) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(identity, "noted", breaks)
    with pytest.raises(RuntimeError):
        identity.verify(request=request, code=other_than(code), by=THE_SYSTEM)
    request.refresh_from_db()
    assert request.code_attempts == 1
    with transaction.atomic():
        assert not request.events.filter(kind="code_refused").exists()
