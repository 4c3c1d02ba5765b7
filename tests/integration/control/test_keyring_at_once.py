"""Keys made, rotated and destroyed by several at the same time."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from compliance import surrogates
from compliance.actions import keys, rotations
from compliance.errors import KeyDestroyed
from compliance.keyring import store, usage
from compliance.keyring.models import SubjectKey, TenantKey
from tests.factories import THE_SYSTEM, a_tenant

pytestmark = pytest.mark.usefixtures("databases")

AT_ONCE = 4


@pytest.fixture
def acme() -> Iterator[int]:
    yield a_tenant().pk
    store.forget()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return, each in a thread of its own, begun together."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            begin.wait()
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_a_person_gets_one_key_however_many_make_it(acme: int) -> None:
    people = [surrogates.generate() for _ in range(20)]
    made = at_once(*[lambda: keys.make_subject_keys(tenant_id=acme, surrogates=people)] * AT_ONCE)
    assert all(each == made[0] for each in made)
    assert made[0] == store.subject_keys(acme, people)
    assert TenantKey.objects.filter(tenant_id=acme).count() == 1


def test_people_who_turn_up_during_a_rotation_lose_nothing(acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotations, "BATCH", 10)
    before = keys.make_subject_keys(tenant_id=acme, surrogates=[surrogates.generate() for _ in range(100)])

    def turn_up() -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(10):
            made |= keys.make_subject_keys(tenant_id=acme, surrogates=[surrogates.generate() for _ in range(5)])
        return made

    rotated, *made = at_once(lambda: rotations.rotate_tenant_key(tenant_id=acme, by=THE_SYSTEM), turn_up, turn_up)
    everybody = before | made[0] | made[1]
    assert rotated.version == 2
    assert usage.of_tenant_keys([acme]) == {(acme, 2): len(everybody)}
    assert store.subject_keys(acme, list(everybody)) == everybody


def test_what_is_destroyed_during_a_rotation_stays_so(acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotations, "BATCH", 10)
    people = [surrogates.generate() for _ in range(100)]
    keys.make_subject_keys(tenant_id=acme, surrogates=people)

    def destroy() -> None:
        for start in range(0, 50, 5):
            keys.destroy_subject_keys(tenant_id=acme, surrogates=people[start : start + 5], by=THE_SYSTEM)

    at_once(lambda: rotations.rotate_tenant_key(tenant_id=acme, by=THE_SYSTEM), destroy)
    assert store.subject_keys(acme, people).keys() == set(people[50:])
    assert SubjectKey.objects.filter(tenant_id=acme, wrapped=None).count() == 50
    assert usage.of_tenant_keys([acme]) == {(acme, 2): 50}


def test_of_making_and_destroying_at_once_the_end_is_destroyed(acme: int) -> None:
    keys.make_tenant_key(tenant_id=acme, by=THE_SYSTEM)
    for _ in range(10):
        somebody = [surrogates.generate()]

        def make(wanted: list[str] = somebody) -> None:
            try:
                keys.make_subject_keys(tenant_id=acme, surrogates=wanted)
            except KeyDestroyed:
                return

        def destroy(wanted: list[str] = somebody) -> None:
            keys.destroy_subject_keys(tenant_id=acme, surrogates=wanted, by=THE_SYSTEM)

        at_once(make, destroy)
        assert store.subject_keys(acme, somebody) == {}
        with pytest.raises(KeyDestroyed):
            keys.make_subject_keys(tenant_id=acme, surrogates=somebody)
