"""Rows of backups and drills, without any backup behind them."""

from datetime import timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from billing import verification
from compliance.backups import keeping
from compliance.models import BackupRun, RestoreDrill


def a_backup_run(part: str = "data", *, age: timedelta = timedelta(hours=1), **fields: Any) -> BackupRun:
    """A good backup of that age, as the list knows it."""
    at = timezone.now() - age
    file = {"name": "default.dump", "database": "default", "bytes": 4_096_000, "sha256": "ab" * 32}
    values = {
        "label": keeping.new_label(at),
        "part": part,
        "state": BackupRun.State.DONE,
        "place": f"/backups/{part}",
        "bytes": 4_096_000,
        "manifest": {"payload": {"files": [file]}, "kind": "backup_manifest"},
        "started_by": "task back_up",
        "made_at": at,
        "finished_at": at + timedelta(seconds=40),
    }
    run = BackupRun(**{**values, **fields})
    run.save()
    BackupRun.objects.filter(pk=run.pk).update(started_at=at)
    return run


def a_drill(*, age: timedelta = timedelta(days=1), **fields: Any) -> RestoreDrill:
    """A drill of that age that passed, unless `fields` say otherwise."""
    at = timezone.now() - age
    check = {"name": "files", "title": "Every file is whole, and opens", "ok": True, "detail": "4,096 bytes", "ms": 9}
    values = {
        "state": RestoreDrill.State.PASSED,
        "data_label": keeping.new_label(at),
        "keys_label": keeping.new_label(at),
        "checks": [check],
        "rto_s": 41,
        "rpo_s": 10_800,
        "restored_bytes": 4_096_000,
        "started_by": "task restore_drill",
        "finished_at": at + timedelta(seconds=60),
    }
    drill = RestoreDrill(**{**values, **fields})
    drill.save()
    RestoreDrill.objects.filter(pk=drill.pk).update(started_at=at)
    drill.refresh_from_db()
    return drill


def rows_of_backups() -> None:
    """One of each kind."""
    a_backup_run("data")
    a_backup_run("keys")
    a_drill(age=timedelta(days=8))
    a_drill(state=RestoreDrill.State.FAILED, problem="Rows are as many as the manifest says: no.", rto_s=None)


def let_ledger_agree() -> None:
    """Removes the meters that earlier tests of this process have left other than their usage records say: a drill looks
    at all of them.
    """
    different = {(each.tenant_id, each.meter) for each in verification.differences()}
    with connections["ledger"].cursor() as cursor:
        for tenant_id, name in different:
            cursor.execute("DELETE FROM meter WHERE tenant_id = %s AND name = %s", [tenant_id, name])
