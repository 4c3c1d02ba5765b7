"""Backups are made, restored and tried out on real databases; what is wrong with one is found, and said."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import pytest
from django.db import connections
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from accounts.models import Tenant
from billing.models import Alert
from compliance import selectors_backups as selectors
from compliance import signing, under_way
from compliance.actions import audit_log, backup_alarms, backups, drills, restores
from compliance.backups import canaries, databases, facts, keeping, manifests, postgres, restoring, streams
from compliance.backups.manifests import Manifest
from compliance.backups.parts import DATA, KEYS, Part, bound_to
from compliance.backups.places import MANIFEST
from compliance.backups.restoring import Chosen
from compliance.errors import BackupBroken, BackupFailed, BackupKeyMissing
from compliance.keyring.models import TenantKey
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, BackupRun, JobRun, RestoreDrill
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.backups import let_ledger_agree

pytestmark = [
    pytest.mark.usefixtures("databases"),
    pytest.mark.opens_transactions("a dump shows one state of a database, however long it takes"),
    pytest.mark.timeout(300),
]


@pytest.fixture(autouse=True)
def places(tmp_path: Path) -> Iterator[Path]:
    """Places of this test's own, and no history of others'."""
    BackupRun.objects.all().delete()
    RestoreDrill.objects.all().delete()
    Alert.objects.filter(kind__in=("backup_failed", "backup_overdue", "drill_failed", "drill_overdue")).delete()
    let_ledger_agree()
    where = {"BACKUP_PLACE": str(tmp_path / "data"), "KEYS_BACKUP_PLACE": str(tmp_path / "keys")}
    with override_settings(**where, VAR_DIR=tmp_path):
        yield tmp_path


def drilled() -> RestoreDrill:
    return drills.drill(by=THE_SYSTEM)


def made() -> tuple[BackupRun, BackupRun]:
    data, keys = backups.back_up(by=THE_SYSTEM)
    return data, keys


def file_of(run: BackupRun, name: str) -> Path:
    return Path(run.place) / run.label / name


def open_alerts() -> dict[str, str]:
    return dict(Alert.objects.filter(cleared_at=None, tenant=None).values_list("kind", "label"))


def scratch_left() -> list[str]:
    """Of these databases; others' drills, beside this test, have databases of their own."""
    own = [str(connections[alias].settings_dict["NAME"]) for alias in ("default", "ledger", "keys")]
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database, unnest(%s::text[]) AS own WHERE starts_with(datname, own || '_drill')",
            [own],
        )
        return [row[0] for row in cursor.fetchall()]


def test_it_works(places: Path) -> None:
    a_tenant()
    data, keys = made()
    assert (data.state, keys.state) == (BackupRun.State.DONE, BackupRun.State.DONE)
    assert {path.name for path in (places / "data" / data.label).iterdir()} == {
        "default.dump",
        "ledger.dump",
        MANIFEST,
    }
    assert {path.name for path in (places / "keys" / data.label).iterdir()} == {"keys.dump", MANIFEST}
    assert JobRun.objects.filter(kind=backups.KIND).latest("id").result["backup"] == data.label

    drill = drilled()
    assert (drill.problem, drill.state) == ("", RestoreDrill.State.PASSED)
    assert [check["name"] for check in drill.checks] == [
        *("manifests", "files", "rows", "schema", "audit", "shut", "erasures"),
        *("keys", "dead", "canary", "erased", "ledger", "settled"),
    ]
    assert drill.rto_s
    assert drill.rpo_s is not None
    assert scratch_left() == []
    assert not any((places / "drills").iterdir())
    assert AuditEvent.objects.filter(action="restoredrill.passed", target_id=str(drill.pk)).count() == 1


def test_the_manifest_says_what_a_restore_is_compared_with() -> None:
    data, keys = made()
    document = manifests.read(DATA, data.label, public=signing.public_keys()).document
    last = {each.log.origin: each.size for each in AuditCheckpoint.objects.order_by("size").select_related("log")}
    assert {log["origin"]: log["size"] for log in document["databases"]["default"]["audit"]} == last
    assert last, "there is an audit log to compare"
    assert document["databases"]["default"]["rows"]["accounts_tenant"] >= 0
    assert any("transaction_timeout" in each for each in document["databases"]["ledger"]["settings"])
    assert manifests.read(KEYS, keys.label, public=signing.public_keys()).root_versions == {1}


def test_the_key_of_its_canaries_is_nobodys_in_the_platforms_log() -> None:
    made()
    key = TenantKey.objects.get(tenant_id=canaries.TENANT)
    event = AuditEvent.objects.filter(action="tenantkey.created", target_id=str(key.pk)).get()
    assert event.tenant_id is None
    audit_log.checkpoint(by=THE_SYSTEM)
    assert not AuditLog.objects.filter(tenant_id=canaries.TENANT).exists()
    assert str(key) == "key 1 of the canaries of backups"


def test_nothing_readable_lies_in_a_backup(places: Path) -> None:
    tenant = a_tenant()
    made()
    for path in places.rglob("*.dump"):
        content = path.read_bytes()
        assert content.startswith(streams.MAGIC)
        assert b"PGDMP" not in content
        assert tenant.slug.encode() not in content
        assert path.stat().st_mode & 0o077 == 0
    assert tenant.slug not in "".join(path.read_text() for path in places.rglob(MANIFEST))


def test_sessions_are_not_in_a_backup() -> None:
    document = manifests.read(DATA, made()[0].label, public=signing.public_keys()).document
    assert not {"django_session", "django_cache"} & document["databases"]["default"]["rows"].keys()


# --- what is wrong with one is found ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one(databases: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that is only looked at, in copies."""
    folder = tmp_path_factory.mktemp("one")
    with override_settings(BACKUP_PLACE=str(folder / "data"), KEYS_BACKUP_PLACE=str(folder / "keys")):
        backups.back_up(by=THE_SYSTEM)
    return folder


def read_through(folder: Path) -> None:
    """Everything that is checked on the way into pg_restore, without the way."""
    with override_settings(BACKUP_PLACE=str(folder / "data"), KEYS_BACKUP_PLACE=str(folder / "keys")):
        chosen = restoring.choose("latest", "latest", public=signing.public_keys())
        for manifest in (chosen.data, chosen.keys):
            for alias in manifest.part.databases:
                lies = manifest.part.place.read(manifest.label, manifest.file(alias)["name"])
                place = bound_to(manifest.part, manifest.label, alias)
                for _ in streams.opened(lies, keys=manifest.part.keys, place=place):
                    pass


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_bit_of_any_file_is_found(one: Path, tmp_path: Path, data: st.DataObject) -> None:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    chosen = data.draw(st.sampled_from(files))
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(one, folder)
    content = bytearray((folder / chosen).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / chosen).write_bytes(content)
    if chosen.name == MANIFEST and _same_json(bytes(content), (one / chosen).read_bytes()):
        return  # a space for another one: nothing was changed
    with pytest.raises(BackupBroken):
        read_through(folder)


def _same_json(first: bytes, second: bytes) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except ValueError:
        return False


def flip(run: BackupRun, name: str) -> None:
    content = bytearray(file_of(run, name).read_bytes())
    content[len(content) // 2] ^= 1
    file_of(run, name).write_bytes(content)


def cut(run: BackupRun, name: str) -> None:
    content = file_of(run, name).read_bytes()
    file_of(run, name).write_bytes(content[: len(content) // 2])


def lose(run: BackupRun, name: str) -> None:
    file_of(run, name).unlink()


def swap(run: BackupRun, name: str) -> None:
    one, other, between = file_of(run, name), file_of(run, "ledger.dump"), file_of(run, "between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (flip, "default.dump of .* a byte was altered, or the file is cut off"),
        (cut, "default.dump of .* a byte was altered, or the file is cut off"),
        (lose, "default.dump is missing"),
        (swap, "belongs to another file or backup"),
    ],
    ids=["flipped", "cut off", "missing", "swapped"],
)
def test_a_drill_says_what_is_wrong_with_a_file(harm: Any, said: str) -> None:
    data, _ = made()
    harm(data, "default.dump")
    drill = drilled()
    assert drill.state == RestoreDrill.State.FAILED
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(drill.problem)
    assert scratch_left() == []
    assert "The restore drill failed" in open_alerts()["drill_failed"]


def test_an_old_manifest_beside_new_files_is_found() -> None:
    old, _ = made()
    new, _ = made()
    shutil.copy(file_of(old, MANIFEST), file_of(new, MANIFEST))
    assert "is that of another backup" in drilled().problem


def test_a_manifest_that_another_installation_signed_is_refused() -> None:
    data, _ = made()
    with pytest.raises(BackupBroken, match="not signed by a key that is known here"):
        manifests.read(DATA, data.label, public=[bytes(32)])


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ({"ROOT_KEYS": {2: bytes(32)}}, "Wrong key epoch: .* need version 1 of the root key, and here are: 2"),
        ({"BACKUP_KEYS": {2: bytes(32)}}, "encrypted under version 1 of BACKUP_KEYS, which is not set here"),
        ({"KEYS_BACKUP_KEYS": {7: bytes(32)}}, "encrypted under version 1 of KEYS_BACKUP_KEYS"),
    ],
    ids=["root", "data", "keys"],
)
def test_the_wrong_epoch_of_a_key_is_refused_in_words(without: dict[str, Any], said: str) -> None:
    made()
    public = signing.public_keys()
    with override_settings(**without), pytest.raises(BackupKeyMissing, match=said):
        restoring.choose("latest", "latest", public=public)


def test_another_key_of_the_same_version_is_found_by_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    monkeypatch.setenv("ROOT_KEYS", "1:" + "CQkJ" * 10 + "CQk=")  # what the drill's own process is told
    drill = drilled()
    assert drill.state == RestoreDrill.State.FAILED
    assert "Keys open under the root key: no." in drill.problem or "DecryptionFailed" in drill.problem


def test_an_event_that_was_altered_before_the_backup_is_found_by_its_root() -> None:
    """By the owner of the table, with its triggers off."""
    a_tenant()
    audit_log.checkpoint(by=THE_SYSTEM)
    leaf = AuditLeaf.objects.earliest("log_id", "index")
    was = AuditEvent.objects.get(pk=leaf.event_id).action
    try:
        _rewrite(leaf.event_id, "nothing.happened")
        made()
        drill = drilled()
    finally:
        _rewrite(leaf.event_id, was)
    assert "the root is another than that of the checkpoint" in drill.problem
    assert leaf.log.origin in drill.problem


def _rewrite(event_id: int, action: str) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE compliance_auditevent SET action = %s WHERE id = %s", [action, event_id])
        cursor.execute("ALTER TABLE compliance_auditevent ENABLE TRIGGER USER")


def test_the_manifest_counts_what_the_dump_shows() -> None:
    """A tenant that comes while the dump is written is in neither."""
    before = Tenant.objects.count()
    with (
        postgres.snapshot_of(postgres.params_of("default")) as snapshot,
        postgres.dumping(snapshot, look=facts.of_main, beat=lambda: None) as dump,
    ):
        a_tenant()
        assert dump.found["rows"]["accounts_tenant"] == before
        assert next(dump.pieces).startswith(b"PGDMP")


@pytest.mark.parametrize(
    ("data", "keys", "said"),
    [(2, 1, "The keys are older than the data"), (1, 2, "The keys are newer than the data"), (1, 1, "")],
    ids=["older keys", "newer keys", "of one day"],
)
def test_what_parts_of_different_ages_mean_is_said(data: int, keys: int, said: str) -> None:
    def of(part: Part, day: int) -> Manifest:
        at = datetime(2026, 1, day, 2, tzinfo=UTC)
        document = {"backup": f"2026010{day}T020000Z-0a1b2c", "made_at": at.isoformat()}
        return Manifest(part, {"payload": document})

    remarks = " ".join(Chosen(of(DATA, data), of(KEYS, keys)).remarks())
    assert remarks.startswith(said)
    assert bool(remarks) == bool(said)


# --- how it goes on --------------------------------------------------------------------------------------------------


def test_what_was_cut_off_is_removed_and_begun_anew(places: Path) -> None:
    label = keeping.new_label(timezone.now() - timedelta(minutes=5))
    BackupRun(label=label, part="data", place=str(places / "data"), started_by="task back_up").save()
    (places / "data" / label).mkdir(parents=True)
    (places / "data" / label / "default.dump.part").write_bytes(b"half")
    made()
    assert not (places / "data" / label).exists()
    assert BackupRun.objects.get(label=label).state == BackupRun.State.FAILED


def test_one_that_was_lost_from_its_place_is_called_missing(places: Path) -> None:
    data, _ = made()
    shutil.rmtree(places / "data" / data.label)
    made()
    data.refresh_from_db()
    assert data.state == BackupRun.State.MISSING


def test_what_is_in_the_place_and_not_on_record_is_put_on_record() -> None:
    """As after a restore: the database knows nothing of the backups that were made later."""
    data, _ = made()
    BackupRun.objects.all().delete()
    made()
    assert BackupRun.objects.get(part="data", label=data.label).state == BackupRun.State.DONE


def test_a_restored_copy_has_its_own_backup_on_record_and_nothing_under_way() -> None:
    """The state in which a dump is: its own backup is being made, by a job that nobody goes on with."""
    data, keys = made()
    chosen = restoring.choose("latest", "latest", public=signing.public_keys())
    data.state, data.manifest, data.made_at, data.bytes = BackupRun.State.RUNNING, None, None, 0
    data.save()
    keys.delete()
    half = BackupRun(
        label=keeping.new_label(timezone.now()), part="data", place="/elsewhere", started_by="task back_up"
    )
    half.save()
    RestoreDrill(started_by="task restore_drill").save()
    job = JobRun.objects.create(kind=backups.KIND, started_by="task back_up", process="elsewhere 1 1.00")

    restores.settle(chosen=chosen, by=THE_SYSTEM)
    assert {run.part: run.label for run in BackupRun.objects.filter(state=BackupRun.State.DONE)} == {
        "data": data.label,
        "keys": data.label,
    }
    assert selectors.oldest_needed() == chosen.data.made_at
    half.refresh_from_db()
    job.refresh_from_db()
    assert (half.state, half.error) == (BackupRun.State.FAILED, restores.CUT_OFF)
    assert (job.state, job.error) == (JobRun.State.FAILED, restores.CUT_OFF)
    assert RestoreDrill.objects.get().problem == restores.CUT_OFF
    assert "drill_failed" not in open_alerts()
    backups.ask_for(by=THE_SYSTEM)


def test_a_drill_waits_for_the_backup_that_is_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    backups.ask_for(by=THE_SYSTEM)
    waited = []

    def meanwhile(seconds: float) -> None:
        waited.append(JobRun.objects.get(kind=drills.KIND, state=JobRun.State.RUNNING).step)
        made()

    monkeypatch.setattr(drills, "sleep", meanwhile)
    drill = drilled()
    assert (drill.problem, drill.state) == ("", RestoreDrill.State.PASSED)
    assert waited == ["waiting for the backup that is being made"]


def test_a_drill_does_not_wait_for_ever_for_a_backup_that_nobody_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    backups.ask_for(by=THE_SYSTEM)
    with monkeypatch.context() as patch:
        later = timezone.now() + under_way.TAKEN_UP_WITHIN
        patch.setattr(timezone, "now", lambda: later)
        assert not under_way.is_backup_coming()
    assert under_way.is_backup_coming()
    made()
    assert not under_way.is_backup_coming()


def test_what_is_not_kept_any_more_is_removed_from_its_place(places: Path) -> None:
    data, _ = made()
    for days in (1, 40):
        old = keeping.new_label(timezone.now() - timedelta(days=days))
        shutil.copytree(places / "data" / data.label, places / "data" / old)
    (places / "data" / "lost+found").mkdir()
    newest, _ = made()
    left = {path.name for path in (places / "data").iterdir()}
    assert {newest.label, data.label, "lost+found"} <= left
    assert old not in left


def test_a_place_that_cannot_be_written_is_told_and_leaves_nothing_half(places: Path) -> None:
    (places / "data").write_text("no folder")
    with pytest.raises(BackupFailed, match="Make room or access there"):
        made()
    assert "The backup failed" in open_alerts()["backup_failed"]
    (places / "data").unlink()
    made()
    assert "backup_failed" not in open_alerts()


def test_a_missing_program_is_told() -> None:
    with override_settings(PG_BIN="/nowhere"), pytest.raises(BackupFailed, match=r"pg_dump is missing.* PG_BIN"):
        made()
    assert BackupRun.objects.filter(state=BackupRun.State.FAILED).count() == 2


def test_a_program_older_than_the_server_is_told(tmp_path: Path) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n")
    old.chmod(0o755)
    with (
        override_settings(PG_BIN=str(tmp_path)),
        pytest.raises(BackupFailed, match="is of PostgreSQL 14, and the server"),
    ):
        made()


def test_databases_that_hold_something_are_not_touched() -> None:
    made()
    chosen = restoring.choose("latest", "latest", public=signing.public_keys())
    targets = {alias: postgres.params_of(alias) for alias in ("default", "ledger", "keys")}
    with pytest.raises(BackupFailed, match="is not empty; nothing in it was touched"):
        restoring.restore(chosen, targets, tell=lambda done, total, step: None)


def test_a_database_of_a_restore_that_was_cut_off_may_be_filled_again() -> None:
    params = databases.scratch(postgres.params_of("keys"))
    databases.make_ready(params)
    with postgres.connected(params) as connection:
        connection.execute("CREATE TABLE half (id int)")
    databases.make_ready(params)
    databases.finish(params)
    with postgres.connected(params) as connection:
        connection.execute("CREATE TABLE whole (id int)")
    with pytest.raises(BackupFailed, match="is not empty"):
        databases.make_ready(params)
    assert databases.drop(params)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE SCHEMA crm; CREATE TABLE crm.customers (id int)",
        "CREATE VIEW what AS SELECT 1 AS id",
        "CREATE MATERIALIZED VIEW what AS SELECT 1 AS id",
        "CREATE SEQUENCE numbers",
        "SELECT lo_create(0)",
    ],
    ids=["a table of another schema", "a view", "a materialized view", "a sequence", "a large object"],
)
def test_whatever_a_database_holds_is_left_alone(statement: LiteralString) -> None:
    params = databases.scratch(postgres.params_of("keys"))
    databases.make_ready(params)
    databases.finish(params)
    with postgres.connected(params) as connection:
        connection.execute(statement)
    with pytest.raises(BackupFailed, match="is not empty"):
        databases.make_ready(params)
    assert databases.drop(params)


def test_a_drill_without_any_backup_says_what_to_do() -> None:
    assert drilled().problem.startswith("There is no backup of the data in ")


def test_an_empty_database_that_somebody_made_is_taken_as_it_is() -> None:
    params = databases.scratch(postgres.params_of("keys"))
    with postgres.connected(databases.server_of(params)) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(params["dbname"])))
        with postgres.connected(params) as connection:
            connection.execute("CREATE SCHEMA empty")
        was = server.execute("SELECT oid FROM pg_database WHERE datname = %s", [params["dbname"]]).fetchone()
        databases.make_ready(params)
        assert server.execute("SELECT oid FROM pg_database WHERE datname = %s", [params["dbname"]]).fetchone() == was
    assert databases.drop(params)


@pytest.mark.parametrize(
    "params",
    [
        {"dbname": "portcullis", "user": "postgres", "host": "/var/run/a folder"},
        {"dbname": "p-1", "user": "owner", "password": "p@ss/w:rd?&%", "host": "db.example", "port": "5433"},
        {"dbname": "x", "user": "o", "host": "db.example", "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"},
    ],
    ids=["socket", "password", "tls"],
)
def test_a_database_is_named_by_a_url_that_says_the_same(params: dict[str, str]) -> None:
    assert postgres.params_at(postgres.url_of(params)) == params


def test_what_is_overdue_is_told_once_and_closed_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    a_tenant()  # there is an event, so the installation has an age
    assert backup_alarms.tell(by=THE_SYSTEM) == 0  # a young one is late with nothing
    later = timezone.now() + timedelta(days=15)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: later)
        assert backup_alarms.tell(by=THE_SYSTEM) == 2
    assert {"backup_overdue", "drill_overdue"} <= open_alerts().keys()
    made()
    drilled()
    assert not {"backup_overdue", "drill_overdue"} & open_alerts().keys()
