"""Several processes record, withdraw and store at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from compliance import selectors
from compliance.actions import consents, subjects, withdrawn_content
from compliance.errors import IllegalTransition
from compliance.lookups import lookup_of
from compliance.models import ConsentRecord, Subject, Transcript
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_subject, a_transcript
from tests.factories.retention import a_hold_request
from tests.factories.retention import decide as approve

pytestmark = pytest.mark.usefixtures("databases")

STORE = "store_conversations"
CROWD = 8


def at_once(work: Callable[[int], Any], *, times: int = CROWD) -> list[Any]:
    """Runs `work` in as many threads, which begin together; their results, or what they raised."""
    barrier = threading.Barrier(times)

    def run(number: int) -> Any:
        try:
            barrier.wait()
            return work(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def decide(subject: Subject, state: str) -> ConsentRecord:
    decision = consents.Decision(purpose=STORE, state=state)
    return consents.record(subject=subject, decision=decision, by=THE_SYSTEM)


def test_two_who_record_the_same_leave_one_live_record() -> None:
    ada = a_subject()
    a_notice(ada.tenant)
    results = at_once(lambda _: decide(ada, "given"))
    assert sum(isinstance(each, ConsentRecord) for each in results) == 1
    assert sum(isinstance(each, IllegalTransition) for each in results) == CROWD - 1
    assert ConsentRecord.objects.filter(subject=ada).count() == 1


def test_the_history_of_those_who_differ_is_complete_and_in_order() -> None:
    ada = a_subject()
    a_consent(ada)

    def work(number: int) -> Any:
        if number % 2:
            return consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM).record
        return decide(ada, "refused" if number % 4 else "given")

    results = at_once(work)
    written = {each.pk for each in results if isinstance(each, ConsentRecord)}
    records = list(ConsentRecord.objects.filter(subject=ada).order_by("pk"))
    assert written <= {record.pk for record in records}
    assert [record.live for record in records] == [False] * (len(records) - 1) + [True]
    assert not [each for each in results if not isinstance(each, ConsentRecord | IllegalTransition)]
    assert len({record.record_id for record in records}) == 1


def test_a_withdrawal_waits_for_a_write_that_is_under_way_and_the_next_one_sees_it() -> None:
    ada = a_subject()
    a_consent(ada)
    done = threading.Event()

    def withdraw() -> None:
        consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM)
        done.set()
        connections.close_all()

    thread = threading.Thread(target=withdraw)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM compliance_subject WHERE id = %s FOR SHARE", [ada.pk]
        )  # as store_transcripts() does
        thread.start()
        wait_until_somebody_waits_for(cursor)
        assert not done.is_set()
        assert selectors.allows(subject=ada, purpose=STORE)
    thread.join()
    assert not selectors.allows(subject=ada, purpose=STORE)


def wait_until_somebody_waits_for(cursor: Any) -> None:
    for _ in range(10_000):
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))")
        if cursor.fetchone()[0]:
            return
    raise AssertionError("nobody waits for the lock")


def test_a_write_that_waits_for_a_withdrawal_stores_nothing() -> None:
    """The lock and the question are two statements of one function, as in store_transcripts()."""
    ada = a_subject()
    a_consent(ada)
    answers: list[bool] = []

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION pg_temp.locked_and_asked(tenant bigint, subject bigint) RETURNS boolean"
                " LANGUAGE plpgsql AS $$ BEGIN PERFORM FROM compliance_subject WHERE id = subject FOR SHARE;"
                " RETURN consent_allows(tenant, subject, 'store_conversations'); END $$"
            )
            cursor.execute("SELECT pg_temp.locked_and_asked(%s, %s)", [ada.tenant_id, ada.pk])
            answers.append(cursor.fetchone()[0])
        connections.close_all()

    thread = threading.Thread(target=ask)
    with transaction.atomic(), connection.cursor() as cursor:
        consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM)
        thread.start()
        wait_until_somebody_waits_for(cursor)
    thread.join()
    assert answers == [False]


def test_whoever_enrols_the_same_people_at_once_gets_the_same_people() -> None:
    acme = a_tenant()
    names = [f"p{n}" for n in range(50)]
    wanted = {lookup_of(acme.pk, name): name for name in names}

    def work(number: int) -> Any:
        mine = sorted(wanted, reverse=bool(number % 2))
        return subjects.resolve(tenant_id=acme.pk, wanted={lookup: wanted[lookup] for lookup in mine})

    results = at_once(work)
    assert all(result == results[0] for result in results)
    assert Subject.objects.filter(tenant=acme).count() == len(names)
    assert not Subject.objects.filter(tenant=acme, external_id=None).exists()


def test_a_hold_that_is_approved_while_content_is_erased_is_not_overlooked() -> None:
    ada = a_subject()
    a_content_policy(ada.tenant)
    a_consent(ada)
    a_transcript(ada)
    record = consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM).record
    hold = a_hold_request(ada.tenant)
    erased: list[int] = []

    def erase() -> None:
        assert record is not None
        erased.append(withdrawn_content.erase(record_id=record.pk, by=THE_SYSTEM))
        connections.close_all()

    thread = threading.Thread(target=erase)
    with transaction.atomic(), connection.cursor() as cursor:
        approve(hold)
        thread.start()
        wait_until_somebody_waits_for(cursor)
    thread.join()
    assert erased == [0]
    assert Transcript.objects.filter(surrogate=ada.surrogate).count() == 1
