"""A process that is killed in the middle of an action leaves neither its rows nor its event; one that has committed
leaves exactly one event, wherever it is killed afterwards."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.models import Tenant
from billing.models import Tier
from compliance.actions import audit_log
from compliance.evidence import checking
from compliance.evidence.checking import Wanted
from compliance.models import AuditEvent, AuditLeaf
from config.env import BASE_DIR
from tests.factories import THE_SYSTEM, a_tenant, a_tier
from tests.system.processes import _environment, database_urls, eventually

pytestmark = pytest.mark.system

Point = int | str


class Doomed:
    """Takes actions in processes that stop where they are told, and kills them there."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.dying"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=BASE_DIR,
            env={**_environment(), **database_urls()},
        )
        assert self._heard()[0] == "ready"

    def take(self, action: str, name: str, point: Point) -> bool:
        """Whether it was killed at that point; else it came to its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"action": action, "name": name, "point": point}) + "\n")
        self._process.stdin.flush()
        word, pid = self._heard()
        if word == "stopped":
            os.kill(pid, signal.SIGKILL)
        return word == "stopped"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _heard(self) -> tuple[str, int]:
        assert self._process.stdout is not None
        word, pid = self._process.stdout.readline().split()
        return word, int(pid)


@pytest.fixture(scope="module")
def doomed(databases: None) -> Iterator[Doomed]:
    process = Doomed()
    yield process
    process.close()


def rolled_back() -> None:
    """Waits until the server has missed the killed process: until then its transaction is open."""
    text = """SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"""

    def none_open() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return bool(cursor.fetchone() == (0,))

    eventually(none_open)


def events_of(kind: str, row: Any, action: str) -> int:
    return AuditEvent.objects.filter(action=action, target_kind=kind, target_id=str(row)).count()


def points(doomed: Doomed, action: str, make: Callable[[], str]) -> Iterator[tuple[str, Point, bool]]:
    """Each statement of the action, and then its commit: the object's name, the point, and whether it was killed."""
    for point in itertools.count():
        name = make()
        killed = doomed.take(action, name, point)
        yield name, point, killed
        if not killed:
            return


def a_new_name() -> str:
    return f"killed-{AuditEvent.objects.latest('pk').pk}"


def test_an_opened_tenant(doomed: Doomed) -> None:
    a_tenant()
    statements = 0
    for slug, _, killed in points(doomed, "open", a_new_name):
        rolled_back()
        tenant = Tenant.objects.filter(slug=slug).first()
        assert (tenant is None) == killed
        assert events_of("tenant", tenant.pk if tenant else 0, "tenant.created") == (not killed)
        assert not AuditEvent.objects.filter(after__slug=slug).exists() or not killed
        statements += killed
    assert statements >= 3, "the row, the event and what goes with them"


@pytest.mark.parametrize("point", ["commit", "committed"])
def test_around_the_commit(doomed: Doomed, point: str) -> None:
    a_tenant()
    slug = a_new_name()
    assert doomed.take("open", slug, point)
    rolled_back()
    there = point == "committed"
    assert Tenant.objects.filter(slug=slug).count() == there
    assert AuditEvent.objects.filter(action="tenant.created", after__slug=slug).count() == there


def test_a_suspended_tenant(doomed: Doomed) -> None:
    for slug, _, killed in points(doomed, "suspend", lambda: a_tenant().slug):
        rolled_back()
        tenant = Tenant.objects.get(slug=slug)
        assert tenant.status == ("active" if killed else "suspended")
        assert events_of("tenant", tenant.pk, "tenant.suspended") == (not killed)


def test_a_deleted_tier(doomed: Doomed) -> None:
    numbers: dict[str, int] = {}

    def make() -> str:
        tier = a_tier(slug=f"tier-{len(numbers)}-{AuditEvent.objects.latest('pk').pk}")
        numbers[tier.slug] = tier.pk
        return tier.slug

    for slug, _, killed in points(doomed, "remove", make):
        rolled_back()
        assert Tier.objects.filter(slug=slug).exists() == killed
        assert events_of("tier", numbers[slug], "tier.deleted") == (not killed)


def test_what_is_left_is_sealed_and_verifies(doomed: Doomed) -> None:
    tenant = a_tenant()
    assert doomed.take("suspend", tenant.slug, "committed")
    assert doomed.take("suspend", a_tenant().slug, "commit")
    rolled_back()
    audit_log.checkpoint(by=THE_SYSTEM)
    audit_log.deliver()
    event = AuditEvent.objects.get(action="tenant.suspended", target_id=str(tenant.pk))
    assert AuditLeaf.objects.filter(event_id=event.pk).count() == 1
    assert checking.check(Wanted(processes=2)).findings == []
