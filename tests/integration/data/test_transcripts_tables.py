"""The tables of transcripts: rows lie where their purge will look for them."""

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from compliance.actions.transcripts import make_transcript_partitions
from compliance.models import RetentionPolicy, Subject, Transcript
from tests.factories import a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

INSERT = """
INSERT INTO transcript (id, tenant_id, surrogate, outcome, created_at, expires_on, held, key_id, sealed, plain_bytes)
VALUES (gen_random_uuid(), 1, 'eu_x', 'completed', now(), %s, %s, gen_random_uuid(), 'x', 1)
"""


def run(statement: str, *params: Any) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone()[0] if cursor.description else None


def place_of(table: str, where: str, *params: object) -> object:
    return run(f"SELECT tableoid::regclass::text FROM {table} WHERE {where}", *params)


def test_a_row_lies_in_the_partition_of_its_day() -> None:
    day = date(2031, 2, 28)
    assert run("SELECT make_transcript_partition(%s)", day) is True
    run(INSERT, day, False)
    assert place_of("transcript", "expires_on = %s", day) == "transcript_due_20310228"


def test_a_held_row_lies_apart() -> None:
    day = date(2031, 3, 1)
    run("SELECT make_transcript_partition(%s)", day)
    run(INSERT, day, True)
    assert place_of("transcript", "expires_on = %s", day) == "transcript_held"


def test_rows_that_came_before_their_partition_move_into_it() -> None:
    day = date(2031, 3, 2)
    run(INSERT, day, False)
    assert place_of("transcript", "expires_on = %s", day) == "transcript_due_rest"
    run("SELECT make_transcript_partition(%s)", day)
    assert place_of("transcript", "expires_on = %s", day) == "transcript_due_20310302"


def test_making_a_partition_twice_makes_it_once() -> None:
    assert run("SELECT make_transcript_partition(%s)", date(2031, 3, 3)) is True
    assert run("SELECT make_transcript_partition(%s)", date(2031, 3, 3)) is False


def test_the_task_makes_what_the_policies_of_those_who_store_will_need() -> None:
    RetentionPolicy.objects.create(tenant=a_tenant(), data_class="content", days=2_000, reason="stores nothing")
    tenant = a_tenant()
    RetentionPolicy.objects.create(tenant=tenant, data_class="content", days=1_000, reason="a long time")
    a_content_policy(tenant)
    late = timezone.now().date() + timedelta(days=3_000)  # as of a policy that held for an hour
    run(INSERT, late, False)
    assert make_transcript_partitions() > 0
    today = timezone.now().date()
    expected = {f"transcript_due_{today + timedelta(days=1_000 + n):%Y%m%d}" for n in (1, 2, 3)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'transcript_due'::regclass")
        partitions = {name for (name,) in cursor.fetchall()}
    assert expected <= partitions
    assert f"transcript_due_{today + timedelta(days=2_001):%Y%m%d}" not in partitions
    assert place_of("transcript", "expires_on = %s", late) == f"transcript_due_{late:%Y%m%d}"
    assert run("SELECT to_regclass(%s) IS NOT NULL", f"content_decision_{today:%Y_%m}") is True
    assert make_transcript_partitions() == 0


def test_decisions_lie_in_the_partition_of_their_month() -> None:
    at, later = datetime(2031, 1, 31, 23, 59, tzinfo=UTC), datetime(2031, 2, 1, tzinfo=UTC)
    for moment in (at, later):
        run(
            "INSERT INTO content_decision (request_id, tenant_id, at, stored, reason) VALUES (%s, 1, %s, false, 'x')",
            uuid.uuid4(),
            moment,
        )
    assert run("SELECT make_decision_partition(%s)", at.date()) is True
    assert run("SELECT make_decision_partition(%s)", at.date()) is False
    assert place_of("content_decision", "at = %s", at) == "content_decision_2031_01"
    assert place_of("content_decision", "at = %s", later) == "content_decision_rest"


KIND = {"application_id": None, "api_key_id": None, "environment": "dev", "model": "gpt", "outcome": "completed"}
STORE = """
SELECT coalesce(sum(requests), 0) FROM store_transcripts(
    %s::jsonb, %s::jsonb, %s::uuid[], %s::timestamptz[], %s::integer[], %s::integer[], %s::integer[], %s::integer[],
    %s::integer[], %s::bytea)
"""


def store(people: list[Subject], request_ids: list[str], at: datetime | None = None) -> int:
    """Stores a request of each in turns, with its number as its only byte; returns of how many that was decided."""
    whose = [
        {"tenant_id": one.tenant_id, "surrogate": one.surrogate, "purpose": "store_conversations", "redacted": False}
        | {"gpc": False, "key_id": str(uuid.uuid4()), "reason": ""}
        for one in people
    ]
    count = len(request_ids)
    stored = run(
        STORE,
        json.dumps(whose),
        json.dumps([{**KIND, "streamed": False}]),
        request_ids,
        [at or timezone.now()] * count,
        [number % len(people) + 1 for number in range(count)],
        [1] * count,
        list(range(count)),
        [1] * count,
        [1] * count,
        bytes(range(count)),
    )
    return int(str(stored))


@pytest.fixture
def people() -> list[Subject]:
    tenant = a_tenant()
    a_content_policy(tenant)
    everybody = [a_subject(tenant, f"person-{number}@example.com") for number in range(3)]
    for one in everybody:
        a_consent(one)
    return everybody


def test_each_row_gets_its_own_bytes_in_whatever_order_it_is_made(people: list[Subject]) -> None:
    ids = [str(uuid.uuid4()) for _ in range(40)]
    store(people, ids)
    rows = Transcript.objects.in_bulk(ids)
    found = [(rows[uuid.UUID(id)].surrogate, bytes(rows[uuid.UUID(id)].sealed)) for id in ids]
    assert found == [(people[number % 3].surrogate, bytes([number])) for number in range(40)]


def test_of_what_was_stored_before_in_part_the_rest_is_stored(people: list[Subject]) -> None:
    """The unique index objects, and what was decided is left out."""
    ids, at = [str(uuid.uuid4()) for _ in range(7)], timezone.now()
    assert store(people, ids[:3], at) == 3
    assert store(people, ids, at) == 4
    assert Transcript.objects.filter(pk__in=ids).count() == 7


def test_whether_something_was_stored_before_is_asked_only_where_the_unique_index_objects(
    people: list[Subject],
) -> None:
    asked = "SELECT sum(idx_scan) FROM pg_stat_xact_user_tables WHERE relname LIKE 'content_decision%%'"
    ids, at, before = [str(uuid.uuid4()) for _ in range(7)], timezone.now(), run(asked)
    assert store(people, ids, at) == 7
    assert run(asked) == before
    store(people, ids, at)
    assert run(asked) != before
