"""Erasing while others write: whatever the order, nothing of the person can be read behind the fence."""

import json
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from accounts.models import Tenant
from compliance import erasure_ledger
from compliance.actions import erasure, keys, subjects
from compliance.envelope import open_record, seal_record
from compliance.errors import DecryptionFailed, KeyDestroyed
from compliance.external_ids import external_id_of
from compliance.keyring import store
from compliance.lookups import lookups_of
from compliance.models import ConsentRecord, Erasure, Purpose, Subject, Transcript
from compliance.registry import Person
from compliance.transcripts import opened, place_of
from config.asgi import libpq_params
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.retention import a_hold_request, decide

pytestmark = [pytest.mark.system, pytest.mark.timeout(1500)]

INTERLEAVINGS = 1000
SUBJECTS = 10_000
BATCH = 500
WRITERS = 2
STORE = "SELECT reason, requests FROM store_transcripts(%s::jsonb, %s::bytea)"


def a_storing_tenant() -> Tenant:
    tenant = a_tenant()
    a_content_policy(tenant)
    return tenant


def sealed_item(subject: Subject, key: store.DataKey) -> tuple[dict[str, Any], bytes]:
    """One request as the data plane hands it over, encrypted under a key that was read before."""
    request_id = str(uuid.uuid4())
    place = place_of(
        tenant_id=subject.tenant_id,
        surrogate=subject.surrogate,
        request_id=request_id,
        purpose=Purpose.STORE_CONVERSATIONS,
    )
    content = seal_record(b'{"request": {}, "answer": null}', key=key.key, key_id=key.id, place=place)
    return {
        "request_id": request_id,
        "tenant_id": subject.tenant_id,
        "surrogate": subject.surrogate,
        "at": timezone.now().isoformat(),
        "reason": "",
        "environment": "dev",
        "model": "gpt",
        "outcome": "completed",
        "streamed": False,
        "purpose": Purpose.STORE_CONVERSATIONS,
        "gpc": False,
        "redacted": False,
        "key_id": str(key.id),
        "place": 0,
        "length": len(content),
        "plain_bytes": 31,
    }, content


def write(connection: psycopg.Connection[Any], item: dict[str, Any], content: bytes) -> str:
    reason, _ = connection.execute(STORE, [json.dumps([item]), content]).fetchall()[0]
    return str(reason)


def people(tenant: Tenant, count: int) -> list[Subject]:
    """That many people with names and keys, who consented; made in bulk, as the first one was."""
    first = a_subject(tenant)
    model = a_consent(first)
    external = [f"person-{uuid.uuid4()}" for _ in range(count - 1)]
    for start in range(0, len(external), BATCH):
        lookups = lookups_of(tenant.pk, external[start : start + BATCH])
        subjects.resolve(tenant_id=tenant.pk, wanted={lookup: name for name, lookup in lookups.items()})
    found = list(Subject.objects.filter(tenant=tenant, state="active").exclude(consents__isnull=False))
    for start in range(0, len(found), BATCH):
        ConsentRecord.objects.bulk_create([_consent_as(model, each) for each in found[start : start + BATCH]])
    return [first, *found]


def _consent_as(model: ConsentRecord, subject: Subject) -> ConsentRecord:
    return ConsentRecord(
        tenant_id=model.tenant_id,
        subject=subject,
        purpose=model.purpose,
        notice_id=model.notice_id,
        notice_version=model.notice_version,
        state="given",
        event_at=model.event_at,
        recorded_by="tests",
    )


def with_a_conversation(tenant: Tenant, everybody: list[Subject]) -> None:
    """Stores one of each of them, in batches as the data plane does."""
    with psycopg.connect(**libpq_params("default"), autocommit=True) as connection:
        for start in range(0, len(everybody), BATCH):
            some = everybody[start : start + BATCH]
            known = store.subject_keys(tenant.pk, [each.surrogate for each in some])
            batch, contents = [], b""
            for each in some:
                item, content = sealed_item(each, known[each.surrogate])
                batch.append({**item, "place": len(contents)})
                contents += content
            assert connection.execute(STORE, [json.dumps(batch), contents]).fetchall() == [("", len(some))]


def test_a_thousand_interleavings_leave_nothing_readable_behind_the_fence(databases: None) -> None:
    """Each person is erased by one thread while others, which read the key before, store of them."""
    tenant, chance = a_storing_tenant(), random.Random(4)
    everybody = people(tenant, INTERLEAVINGS)
    known = keys.make_subject_keys(tenant_id=tenant.pk, surrogates=[each.surrogate for each in everybody])
    start = threading.Barrier(WRITERS + 1)
    outcomes: list[set[str]] = []
    writers = [psycopg.connect(**libpq_params("default"), autocommit=True) for _ in range(WRITERS)]

    def storing(connection: psycopg.Connection[Any], subject: Subject, delays: list[int]) -> list[str]:
        reasons = []
        items = [sealed_item(subject, known[subject.surrogate]) for _ in delays]
        start.wait()
        for delay, (item, content) in zip(delays, items, strict=True):
            _spin(delay)
            reasons.append(write(connection, item, content))
        return reasons

    def erasing(subject: Subject, delay: int) -> Erasure:
        try:
            start.wait()
            _spin(delay)
            return erasure.begin(person=Person(tenant.pk, subject.surrogate), request_id=None, by=THE_SYSTEM)
        finally:
            connections.close_all()

    try:
        with ThreadPoolExecutor(WRITERS + 1) as threads:
            for subject in everybody:
                running = [
                    threads.submit(storing, each, subject, [chance.randrange(300) for _ in range(4)])
                    for each in writers
                ]
                begun = threads.submit(erasing, subject, chance.randrange(900)).result()
                said = {reason for each in running for reason in each.result()}
                outcomes.append(said)
                assert begun.destroyed_at, begun.problem
                assert write(writers[0], *sealed_item(subject, known[subject.surrogate])) == "subject_erased"
    finally:
        for each in writers:
            each.close()
    # What was stored in time lies there, and nothing that is left opens it.
    assert store.subject_keys(tenant.pk, [each.surrogate for each in everybody]) == {}
    assert sum("" in said for said in outcomes), "no write ever came before a fence: nothing was raced"
    assert sum("subject_erased" in said for said in outcomes), "no write ever came behind a fence: nothing was raced"
    after = Transcript.objects.filter(tenant_id=tenant.pk)
    for subject in chance.sample(everybody, 50):
        done = erasure.advance(erasure=Erasure.objects.get(surrogate=subject.surrogate), by=THE_SYSTEM)
        assert done.state == Erasure.State.COMPLETE, done.problem
        assert not after.filter(surrogate=subject.surrogate).exists()


def _spin(rounds: int) -> None:
    """Passes a little time, other each time, without leaving the processor to a timer."""
    for _ in range(rounds * 20):
        pass


def test_of_ten_thousand_people_one_is_erased_and_all_others_can_be_read(databases: None) -> None:
    """A copy of all data from before, the root key, and the keys as they are: the erased person's does not open."""
    tenant = a_storing_tenant()
    everybody = people(tenant, SUBJECTS)
    with_a_conversation(tenant, everybody)
    ada, *others = everybody
    copy = list(Transcript.objects.filter(tenant_id=tenant.pk).order_by("id"))
    names = list(Subject.objects.filter(tenant=tenant).order_by("pk"))
    assert len(copy) == len(names) == SUBJECTS
    done = erasure.advance(
        erasure=erasure.begin(person=Person(tenant.pk, ada.surrogate), request_id=None, by=THE_SYSTEM), by=THE_SYSTEM
    )
    assert done.state == Erasure.State.COMPLETE, done.problem

    store.forget()
    known = store.subject_keys(tenant.pk, [each.surrogate for each in names])
    assert known.keys() == {each.surrogate for each in others}
    readable = {row.surrogate for row in copy if row.surrogate in known and opened(row, key=known[row.surrogate].key)}
    assert readable == {each.surrogate for each in others}
    # Whatever key is left, hers opens under none: neither the others', nor the tenant's, nor the root's.
    hers = next(row for row in copy if row.surrogate == ada.surrogate)
    place = place_of(
        tenant_id=tenant.pk, surrogate=ada.surrogate, request_id=str(hers.id), purpose=Purpose.STORE_CONVERSATIONS
    )
    left = [key.key for key in known.values()] + list(store.tenant_keys(tenant.pk).values())
    for key in [*left, *settings.ROOT_KEYS.values()]:
        with pytest.raises(DecryptionFailed):
            open_record(bytes(hers.sealed), key=key, place=place)
    with pytest.raises(KeyDestroyed):
        external_id_of(next(each for each in names if each.pk == ada.pk))


def test_it_refuses_to_be_part_of_a_transaction_that_could_undo_the_fence(databases: None) -> None:
    ada = a_subject(a_storing_tenant())
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
    assert Subject.objects.get(pk=ada.pk).state == Subject.State.ACTIVE


def test_a_fence_waits_for_who_is_storing_and_nobody_stores_behind_it(databases: None) -> None:
    ada = a_subject(a_storing_tenant())
    a_consent(ada)
    key = keys.make_subject_keys(tenant_id=ada.tenant_id, surrogates=[ada.surrogate])[ada.surrogate]
    with psycopg.connect(**libpq_params("default")) as storing, ThreadPoolExecutor(1) as threads:
        assert write(storing, *sealed_item(ada, key)) == ""

        def erasing() -> Erasure:
            try:
                return erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
            finally:
                connections.close_all()

        begun = threads.submit(erasing)
        _await_waiter()
        assert Subject.objects.get(pk=ada.pk).state == Subject.State.ACTIVE
        storing.commit()
        assert begun.result(timeout=10).fenced_at
        assert write(storing, *sealed_item(ada, key)) == "subject_erased"


def test_a_hold_that_is_approved_at_the_same_time_is_not_overlooked(databases: None) -> None:
    tenant = a_storing_tenant()
    ada = a_subject(tenant)

    def erasing() -> Erasure:
        try:
            return erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)
        finally:
            connections.close_all()

    hold = a_hold_request(tenant)
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            decide(hold)
            begun = threads.submit(erasing)
            _await_waiter()
        assert begun.result(timeout=10).state == Erasure.State.ON_HOLD
    assert Subject.objects.get(pk=ada.pk).lookup


def _await_waiter() -> None:
    """Until somebody waits for a lock."""
    with psycopg.connect(**libpq_params("default"), autocommit=True) as looking:
        while not looking.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()[0]:  # type: ignore[index]
            pass


def test_two_who_go_on_with_one_erasure_at_once_take_turns(databases: None) -> None:
    ada = a_subject(a_storing_tenant())
    a_consent(ada)
    a_transcript(ada)
    begun = erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=None, by=THE_SYSTEM)

    def advancing() -> Erasure:
        try:
            return erasure.advance(erasure=Erasure.objects.get(pk=begun.pk), by=THE_SYSTEM)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        done = [each.result() for each in [threads.submit(advancing) for _ in range(4)]]
    assert Erasure.State.COMPLETE in {each.state for each in done} <= {Erasure.State.COMPLETE, Erasure.State.RUNNING}
    erased = Erasure.objects.get(pk=begun.pk)
    assert erased.state == Erasure.State.COMPLETE
    taken = erased.steps.get(name="evict compliance.transcript")
    assert (taken.erased, taken.attempts) == (1, 1)


def test_many_erasures_at_once_make_one_chain(databases: None) -> None:
    before = len(erasure_ledger.read())
    everybody = people(a_storing_tenant(), 12)

    def erasing(subject: Subject) -> int | None:
        try:
            person = Person(subject.tenant_id, subject.surrogate)
            return erasure.begin(person=person, request_id=None, by=THE_SYSTEM).ledger_number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        numbers = list(threads.map(erasing, everybody))
    assert sorted(filter(None, numbers)) == list(range(before + 1, before + 13))
    assert len(erasure_ledger.read()) == before + 12
