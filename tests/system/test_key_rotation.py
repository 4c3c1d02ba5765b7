"""A tenant's key is rotated under a hundred thousand people, by a process that keeps being killed."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import connections

from compliance import envelope, surrogates
from compliance.actions import keys
from compliance.envelope import Place
from compliance.keyring import store, usage
from compliance.keyring.models import SubjectKey, TenantKey
from compliance.models import JobRun
from tests.factories import THE_SYSTEM, a_tenant
from tests.system.processes import Command, eventually

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

PEOPLE = 100_000
AT_ONCE = 10_000
WITH_CONTENT = 5_000
"""Of so many something sealed is kept, which must open; of all others the keys are compared with their fingerprints."""
KILLED_AT = (5_000, 30_000, 70_000)


Made = tuple[str, UUID, bytes]
"""A surrogate, the id of its key, and the key."""


@pytest.fixture
def acme() -> Iterator[int]:
    """A tenant with very many people who have keys, which have sealed something."""
    tenant_id = a_tenant().pk
    keys.make_tenant_key(tenant_id=tenant_id, by=THE_SYSTEM)
    above = store.tenant_keys(tenant_id)[1]
    for number in range(PEOPLE // AT_ONCE):
        made = _fill(tenant_id, above)
        if number == 0:
            _seal_something(tenant_id, made[:WITH_CONTENT])
    yield tenant_id
    run("default", "DELETE FROM compliance_subject WHERE tenant_id = %s", tenant_id)


@pytest.mark.timeout(300)
def test_a_rotation_that_is_killed_again_and_again_loses_nothing(acme: int, tmp_path: Path) -> None:
    before = contents(acme)
    for number, wanted in enumerate(KILLED_AT):
        rotation = Command("rotate_keys", "--tenant", str(acme), log=tmp_path / f"{number}.log")
        eventually(partial(has_wrapped, acme, wanted), within_s=60)
        rotation.kill()
        assert wanted <= under_the_new(acme) < PEOPLE, rotation.log_tail()
    last = Command("rotate_keys", "--tenant", str(acme), log=tmp_path / "last.log")
    assert last.process.wait(60) == 0, last.log_tail()

    assert "under version 2" in last.log_tail()
    assert "keys · " in last.log_tail()  # the bar
    assert usage.of_tenant_keys([acme]) == {(acme, 2): PEOPLE}
    assert [key.retired_at is not None for key in TenantKey.objects.filter(tenant_id=acme).order_by("version")] == [
        True,
        False,
    ]
    (job,) = JobRun.objects.filter(kind="rotate_tenant_key", key=str(acme))
    assert (job.state, job.done) == ("done", job.total)
    assert contents(acme) == before
    assert opened(acme) == WITH_CONTENT
    assert readable(acme) == PEOPLE


def has_wrapped(tenant_id: int, wanted: int) -> bool:
    return under_the_new(tenant_id) >= wanted


def under_the_new(tenant_id: int) -> int:
    return usage.of_tenant_keys([tenant_id]).get((tenant_id, 2), 0)


def contents(tenant_id: int) -> str:
    """A hash over what all people's keys have sealed."""
    digest = hashlib.sha256()
    for surrogate, sealed in _subjects(tenant_id):
        digest.update(surrogate.encode() + bytes(sealed))
    return digest.hexdigest()


def opened(tenant_id: int) -> int:
    """How many contents open, with the keys that there are now, and say what they said."""
    rows = _subjects(tenant_id)
    known = store.subject_keys(tenant_id, [surrogate for surrogate, _ in rows])
    return sum(
        envelope.open_record(bytes(sealed), key=known[surrogate].key, place=_place(tenant_id, surrogate))
        == surrogate.encode()
        for surrogate, sealed in rows
    )


def readable(tenant_id: int) -> int:
    """How many keys open and are the same as ever: their fingerprints cannot change."""
    people = list(SubjectKey.objects.filter(tenant_id=tenant_id).values_list("surrogate", flat=True))
    some = (people[start : start + AT_ONCE] for start in range(0, len(people), AT_ONCE))
    return sum(len(store.subject_keys(tenant_id, each)) for each in some)


def _subjects(tenant_id: int) -> list[tuple[str, bytes]]:
    query = "SELECT surrogate, external_id FROM compliance_subject WHERE tenant_id = %s ORDER BY surrogate"
    with connections["default"].cursor() as cursor:
        cursor.execute(query, [tenant_id])
        return list(cursor.fetchall())


def _fill(tenant_id: int, above: bytes) -> list[Made]:
    made = [(surrogates.generate(), uuid4(), envelope.new_key()) for _ in range(AT_ONCE)]
    into = "keys_subjectkey (id, tenant_id, surrogate, wrapped, tenant_key_version, fingerprint, created_at)"
    with connections["keys"].cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for surrogate, id, key in made:
            wrapped = envelope.wrap(key, under=above, context=store.place_of(tenant_id, surrogate, id))
            copy.write_row((id, tenant_id, surrogate, wrapped, 1, envelope.fingerprint(key), "now"))
    return made


def _seal_something(tenant_id: int, made: list[Made]) -> None:
    into = "compliance_subject (tenant_id, surrogate, lookup, external_id, state, created_at, state_since)"
    with connections["default"].cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for surrogate, id, key in made:
            place = _place(tenant_id, surrogate)
            sealed = envelope.seal_record(surrogate.encode(), key=key, key_id=id, place=place)
            copy.write_row((tenant_id, surrogate, surrogate, sealed, "active", "now", "now"))


def _place(tenant_id: int, surrogate: str) -> Place:
    return Place(tenant_id, surrogate, "external_id", surrogate, "identity")


def run(alias: str, statement: str, *parameters: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
