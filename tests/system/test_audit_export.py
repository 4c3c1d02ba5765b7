"""An export of the audit log whose process keeps being killed: it is made anew, and never half."""

import os
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from compliance import signing
from compliance.actions import audit_exports
from compliance.bundles import files, verify
from compliance.models import AuditExport, JobRun
from tests.factories import THE_SYSTEM, a_tenant
from tests.system.processes import Command, eventually

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

EVENTS = 10_000
KILLED_AT = (10, 45, 60)
"""Per cent: while it reads, and while it writes."""
MAKE = (
    "from compliance.actions import audit_exports; from compliance.contracts import SYSTEM;"
    "print(audit_exports.make_waiting(by=SYSTEM))"
)


@pytest.fixture
def export() -> AuditExport:
    """One of a log with very many events."""
    tenant_id = a_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO compliance_auditevent (tenant_id, actor_kind, actor_id, action, target_kind, target_id,"
            " outcome, reason, before, after, request_id, user_agent, version, salts, redacted, subjects)"
            " SELECT %s, 'system', 'tests', 'x.y', 'x', n::text, 'success', '', '{}', '{}', '', '', 2, %s, '{}', '{}'"
            " FROM generate_series(1, %s) AS n",
            [tenant_id, os.urandom(16 * 9 + 16), EVENTS],
        )
    return audit_exports.request(export=AuditExport(tenant_id=tenant_id), by=THE_SYSTEM)


@pytest.mark.timeout(300)
def test_one_that_is_killed_again_and_again_is_made_in_the_end(export: AuditExport, tmp_path: Path) -> None:
    for number, percent in enumerate(KILLED_AT):
        making = Command("shell", "-c", MAKE, log=tmp_path / f"{number}.log")
        eventually(partial(is_at, export, percent, making), within_s=120)
        making.kill()
        export.refresh_from_db()
        assert export.state == "running", making.log_tail()
        assert not files.path_of(export.public_id).exists()
    last = Command("shell", "-c", MAKE, log=tmp_path / "last.log")
    assert last.process.wait(120) == 0, last.log_tail()

    export.refresh_from_db()
    assert (export.state, export.attempts) == ("ready", len(KILLED_AT) + 1)
    path = files.path_of(export.public_id)
    assert list(path.parent.glob(f"{export.public_id}*")) == [path]
    report = verify.verify(path, signing.public_keys(), [], lambda done, total: None)
    assert report.problems == []
    assert export.events is not None
    assert export.events > EVENTS
    assert report.facts[2] == f"Bundle: {export.events:,} events, the whole log"
    (job,) = JobRun.objects.filter(kind=audit_exports.KIND, key=str(export.pk))
    assert (job.state, job.done) == ("done", 100)


def is_at(export: AuditExport, percent: int, making: Command) -> bool:
    """Whether the process that was just begun is so far."""
    run = JobRun.objects.filter(kind=audit_exports.KIND, key=str(export.pk)).first()
    assert making.is_running(), making.log_tail()
    return run is not None and f" {making.process.pid} " in run.process and run.done >= percent
