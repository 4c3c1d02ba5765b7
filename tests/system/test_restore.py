"""Backups, restores and drills as processes: what was erased stays erased, and what is killed begins anew."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from compliance import signing
from compliance.actions import audit_log, backups, drills
from compliance.backups import databases, inside, postgres
from compliance.backups.postgres import Params
from compliance.models import AuditLog, BackupRun, JobRun, RestoreDrill, Subject
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.backups import let_ledger_agree
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.integration.control.test_erasure import erased
from tests.system.processes import Command, eventually

pytestmark = [
    pytest.mark.system,
    pytest.mark.usefixtures("databases"),
    pytest.mark.opens_transactions("a dump shows one state of a database, however long it takes"),
    pytest.mark.timeout(240),
]

READ = """
import django, json, sys
django.setup()
from compliance.keyring import store
from compliance.models import Transcript
from compliance.transcripts import opened
found = {}
for row in Transcript.objects.filter(surrogate__in=sys.argv[1:]):
    known = store.subject_keys(row.tenant_id, [row.surrogate])
    found[row.surrogate] = str(opened(row, key=known[row.surrogate].key)) if known else "no key"
print(json.dumps(found))
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Places of this test's own, for this process and those that it starts."""
    where = {"BACKUP_PLACE": str(tmp_path / "data"), "KEYS_BACKUP_PLACE": str(tmp_path / "keys")}
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    BackupRun.objects.all().delete()
    let_ledger_agree()
    with override_settings(**where):
        yield tmp_path


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PostgreSQL's programs, which wait until they may go on once they have begun; the file says that they have."""
    folder, begun = tmp_path / "bin", tmp_path / "begun"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        script = folder / name
        real = Path(settings.PG_BIN) / name
        script.write_text(
            f'#!/bin/sh\ncase "$1" in --version) exec {real} --version;; esac\necho {name} >> {begun}\nsleep 60\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(folder))
    return begun


def test_what_was_erased_after_the_backup_is_never_shown_by_what_is_restored(tmp_path: Path) -> None:
    tenant = a_tenant()
    a_content_policy(tenant)
    ada, bob = (person(tenant, name) for name in ("user-1", "user-2"))
    data, _ = backups.back_up(by=THE_SYSTEM)
    assert erased(ada).certificate is not None

    with Restored(tmp_path, data.label) as environment:
        found = read(environment, ada.surrogate, bob.surrogate)
    assert "What Bob said" in found.get(bob.surrogate, "")
    assert found.get(ada.surrogate) in (None, "no key")


def test_after_the_guide_was_followed_the_audit_log_is_clean_and_the_admin_knows_its_backup(tmp_path: Path) -> None:
    tenant = a_tenant()
    a_subject(tenant, "user-1")
    audit_log.checkpoint(by=THE_SYSTEM)
    data, _ = backups.back_up(by=THE_SYSTEM)
    a_subject(tenant, "user-2")
    audit_log.checkpoint(by=THE_SYSTEM)
    while audit_log.deliver():
        pass
    origin = AuditLog.objects.get(tenant_id=tenant.pk).origin

    restored = Restored(tmp_path, data.label, "--none-yet")
    with restored as environment:
        printed = re.search(r"manage.py (verify_audit) (--accept-rollback) \"(.*)\"", restored.command.log_tail())
        assert printed, restored.command.log_tail()
        before = manage(environment, "verify_audit", "--log", origin)
        assert before.returncode == 1
        assert origin in before.stdout
        accepted = manage(environment, *printed.groups(), "--log", origin)
        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
        assert f"on record as lost: {origin}" in accepted.stdout
        assert manage(environment, "verify_audit", "--log", origin).returncode == 0
        assert state(restored.targets["default"], data.label) == {("data", "done"), ("keys", "done")}


def manage(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=settings.BASE_DIR)


def state(database: Params, label: str) -> set[tuple[str, str]]:
    with postgres.connected(database) as connection:
        query = "SELECT part, state FROM compliance_backuprun WHERE state = 'running' OR label = %s"
        return set(connection.execute(query, [label]).fetchall())


def person(tenant: Any, name: str) -> Subject:
    subject = a_subject(tenant, name)
    a_consent(subject)
    a_transcript(subject, "What Bob said" if name == "user-2" else "What Ada said")
    return subject


def read(environment: dict[str, str], *surrogates: str) -> dict[str, str]:
    """What a process can read of those people, whose settings name the restored databases."""
    command = [sys.executable, "-W", "ignore", "-c", READ, *surrogates]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=settings.BASE_DIR)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


class Restored:
    """A restore into databases of their own, and the environment of processes that use those."""

    def __init__(self, folder: Path, label: str, *flags: str) -> None:
        self.name = f"{postgres.params_of('default')['dbname']}_restored"
        self.targets = {
            alias: {**postgres.params_of(alias), "dbname": self.name + end}
            for alias, end in (("default", ""), ("ledger", "_ledger"), ("keys", "_keys"))
        }
        self.command = Command("restore", label, "--into", self.name, *flags, log=folder / "restore.log")

    def __enter__(self) -> dict[str, str]:
        assert self.command.process.wait(120) == 0, self.command.log_tail()
        assert "may be opened" in self.command.log_tail()
        urls = {name: postgres.url_of(self.targets[alias]) for alias, name in inside.VARIABLES.items()}
        return {**os.environ, **urls, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    def __exit__(self, *_: object) -> None:
        self.command.close()
        for params in self.targets.values():
            databases.drop(params)


def test_a_backup_that_is_killed_is_removed_and_begun_anew(
    places: Path, slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Command("backup", log=tmp_path / "first.log")
    eventually(slow.exists, within_s=60)
    second = Command("backup", log=tmp_path / "second.log")
    assert second.process.wait(60) == 1
    assert "backup is running since" in second.log_tail()
    first.kill()
    [half] = BackupRun.objects.filter(state=BackupRun.State.RUNNING)

    monkeypatch.delenv("PG_BIN")
    third = Command("backup", log=tmp_path / "third.log")
    assert third.process.wait(120) == 0, third.log_tail()
    half.refresh_from_db()
    assert half.state == BackupRun.State.FAILED
    assert {run.state for run in BackupRun.objects.exclude(pk=half.pk)} == {BackupRun.State.DONE}
    assert half.label not in os.listdir(places / "data")
    assert JobRun.objects.filter(kind=backups.KIND, state=JobRun.State.RUNNING).count() == 0


def test_a_drill_that_is_killed_leaves_nothing_that_the_next_one_does_not_drop(
    slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.back_up(by=THE_SYSTEM)
    first = Command("restore_drill", log=tmp_path / "first.log")
    eventually(slow.exists, within_s=60)
    first.kill()
    assert scratch_there()
    [half] = RestoreDrill.objects.filter(state=RestoreDrill.State.RUNNING)

    monkeypatch.delenv("PG_BIN")
    second = Command("restore_drill", log=tmp_path / "second.log")
    assert second.process.wait(120) == 0, second.log_tail()
    half.refresh_from_db()
    assert (half.state, half.problem) == (RestoreDrill.State.FAILED, drills.CUT_OFF)
    assert not scratch_there()


def scratch_there() -> bool:
    with postgres.connected(databases.server_of(postgres.params_of("default"))) as server:
        name = databases.scratch(postgres.params_of("ledger"))["dbname"]
        return server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def test_a_restore_that_is_killed_can_be_run_again(slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = backups.back_up(by=THE_SYSTEM)
    half = Restored(tmp_path, data.label, "--none-yet")
    eventually(slow.exists, within_s=60)
    half.command.kill()
    monkeypatch.delenv("PG_BIN")
    with Restored(tmp_path, data.label, "--none-yet") as environment:
        assert read(environment) == {}


def test_a_restore_needs_somebody_to_say_whose_signature_counts_where_the_keys_are_gone() -> None:
    """A machine where nothing is left but the settings."""
    backups.back_up(by=THE_SYSTEM)
    [key, *_] = signing.public_keys()
    name = f"{postgres.params_of('default')['dbname']}_afresh"
    targets = {alias: {**postgres.params_of(alias), "dbname": f"{name}_{alias}"} for alias in inside.VARIABLES}
    urls = {variable: postgres.url_of(targets[alias]) for alias, variable in inside.VARIABLES.items()}
    run = partial(
        subprocess.run,
        env={**os.environ, **urls, "DJANGO_SETTINGS_MODULE": "config.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        refused = run([sys.executable, "manage.py", "restore", "--none-yet"])
        assert "Name it with --verifier-key" in refused.stderr
        done = run([sys.executable, "manage.py", "restore", "--none-yet", "--verifier-key", key.hex()])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "they are those that settings name" in done.stdout
        again = run([sys.executable, "manage.py", "restore", "--none-yet", "--verifier-key", key.hex()])
        assert "is not empty; nothing in it was touched" in again.stderr
    finally:
        for params in targets.values():
            databases.drop(params)
