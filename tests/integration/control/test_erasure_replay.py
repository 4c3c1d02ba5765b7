"""After a restore: nothing is decrypted until the erasures since then were replayed, and then they hold as before."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test import override_settings

from compliance import erasure_gate, erasure_ledger
from compliance.actions import erasure, replays, subjects
from compliance.errors import LedgerBroken, LedgerUnreachable, NotReplayed
from compliance.keyring import store
from compliance.keyring.models import DeadKey, ErasureEntry, SubjectKey
from compliance.models import Erasure, ErasureMark, Subject, Transcript
from compliance.registry import Person
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_subject
from tests.integration.control.test_erasure import erased, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


class Backup:
    """Databases as they were, brought back by `restore`; what lies in files stays."""

    def __init__(self, *aliases: str) -> None:
        self._points = [(alias, transaction.savepoint(using=alias)) for alias in aliases]

    def restore(self) -> None:
        for alias, point in self._points:
            transaction.savepoint_rollback(point, using=alias)
        store.forget()


def opens(subject: Subject) -> bool:
    return bool(store.subject_keys(subject.tenant_id, [subject.surrogate]))


@pytest.mark.parametrize("aliases", [["default"], ["keys"], ["default", "keys"]], ids=["data", "keys", "both"])
def test_a_restore_is_shut_until_it_is_replayed(aliases: list[str]) -> None:
    ada = somebody(external_id="ada")
    bob = somebody(ada.tenant, "bob")
    backup = Backup(*aliases)
    erased(ada)
    backup.restore()
    with pytest.raises(NotReplayed, match="knows 0 of 1"):
        opens(bob)
    done = replays.replay(by=THE_SYSTEM)
    assert done.entries == 1
    assert opens(bob)
    assert not opens(ada)
    row = Subject.objects.get(pk=ada.pk)
    assert (row.state, row.lookup, row.external_id) == (Subject.State.ERASED, None, None)
    assert Subject.objects.get(tenant=ada.tenant, lookup=ada.lookup).state == Subject.State.ERASED
    assert SubjectKey.objects.get(surrogate=ada.surrogate).wrapped is None


def test_what_is_back_in_other_stores_goes_again() -> None:
    ada = somebody()
    backup = Backup("default")
    first = erased(ada)
    backup.restore()
    assert Transcript.objects.filter(surrogate=ada.surrogate).exists()
    [again] = replays.replay(by=THE_SYSTEM).again
    done = erasure.advance(erasure=again, by=THE_SYSTEM)
    assert (done.pk, done.state, done.problem) == (first.pk, Erasure.State.COMPLETE, "")
    assert not Transcript.objects.filter(surrogate=ada.surrogate).exists()


def test_a_wrapped_key_out_of_a_backup_is_refused_and_dies_again_where_triggers_were_off() -> None:
    ada = somebody()
    kept = SubjectKey.objects.get(surrogate=ada.surrogate)
    erased(ada)
    put_back = "UPDATE keys_subjectkey SET wrapped = %s, destroyed_at = NULL WHERE id = %s"
    with (
        pytest.raises(Exception, match="destroyed"),
        transaction.atomic(using="keys"),
        connections["keys"].cursor() as cursor,
    ):
        cursor.execute(put_back, [bytes(kept.wrapped or b""), kept.pk])
    with connections["keys"].cursor() as cursor:
        cursor.execute("ALTER TABLE keys_subjectkey DISABLE TRIGGER USER")
        cursor.execute(put_back, [bytes(kept.wrapped or b""), kept.pk])
        cursor.execute("ALTER TABLE keys_subjectkey ENABLE ALWAYS TRIGGER subject_key_guard")
    assert opens(ada)
    replays.replay(by=THE_SYSTEM)
    assert not opens(ada)


def test_replaying_twice_changes_nothing() -> None:
    ada = somebody()
    erased(ada)
    before = list(Subject.objects.order_by("pk").values())
    assert replays.replay(by=THE_SYSTEM).again == ()
    assert list(Subject.objects.order_by("pk").values()) == before
    assert ErasureEntry.objects.count() == 1


def test_a_person_who_was_not_yet_in_the_backup_stays_erased() -> None:
    tenant = somebody().tenant
    backup = Backup("default", "keys")
    ada = somebody(tenant, "ada")
    erased(ada)
    backup.restore()
    replays.replay(by=THE_SYSTEM)
    assert a_subject(tenant, "ada").state == Subject.State.ERASED


def test_who_was_enrolled_between_restore_and_replay_is_erased_too() -> None:
    tenant = somebody().tenant
    backup = Backup("default", "keys")
    erased(somebody(tenant, "ada"))
    backup.restore()
    Subject.objects.create(
        tenant=tenant, surrogate="eu_" + "x" * 24, lookup=erasure_ledger.read()[0].lookup, state="active"
    )
    replays.replay(by=THE_SYSTEM)
    assert Subject.objects.get(surrogate="eu_" + "x" * 24).state == Subject.State.ERASED


def test_who_was_enrolled_again_stays_so() -> None:
    ada = somebody(external_id="ada")
    erased(ada)
    row = subjects.enrol(tenant_id=ada.tenant_id, external_id="ada", by=THE_SYSTEM)
    subjects.reenrol(subject=row, by=THE_SYSTEM, reason="came back")
    replays.replay(by=THE_SYSTEM)
    assert Subject.objects.get(pk=row.pk).state == Subject.State.ACTIVE


def test_the_gate_waits_for_no_entry_that_is_just_being_made() -> None:
    """Between the file and the commits, the effects are there already."""
    ada, bob = somebody(), somebody()
    begun = erasure.begin(person=person_of(ada), request_id=None, by=THE_SYSTEM)
    assert begun.ledger_number == 1
    ErasureMark.objects.update(number=0, entry_hash="")
    store.forget()
    assert opens(bob)


@pytest.mark.parametrize(
    ("place", "name"), [(erasure_gate, "_marked"), (erasure_gate, "_known"), (erasure_ledger, "head")]
)
def test_an_erasure_while_the_gate_looks_is_no_restore(
    place: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whichever order it looks at main database, keys and files, and whenever the erasure comes between."""
    ada, bob = somebody(), somebody()
    look = getattr(place, name)

    def erased_then_looked() -> object:
        monkeypatch.setattr(place, name, look)
        erasure.begin(person=person_of(ada), request_id=None, by=THE_SYSTEM)
        store.forget()
        return look()

    store.forget()
    monkeypatch.setattr(place, name, erased_then_looked)
    assert opens(bob)
    assert Erasure.objects.filter(surrogate=ada.surrogate).exists()


def person_of(subject: Subject) -> Person:
    return Person(subject.tenant_id, subject.surrogate)


# --- the files ------------------------------------------------------------------------------------------------


def the_file() -> Path:
    return erasure_ledger.paths()[0]


def refused() -> str:
    with pytest.raises(CommandError) as error:
        call_command("replay_erasures", stderr=StringIO(), stdout=StringIO())
    return str(error.value)


def test_the_command_tells_what_it_did() -> None:
    erased(somebody())
    out = StringIO()
    call_command("replay_erasures", stdout=out, stderr=StringIO())
    assert out.getvalue().startswith("1 erasures in the ledger; 0 were back")


def test_without_its_file_it_refuses_and_says_what_to_do() -> None:
    erased(somebody())
    the_file().unlink()
    assert "Mount it, or name it in ERASURE_LEDGER" in refused()
    store.forget()
    with pytest.raises(NotReplayed, match="has 0 entries, and the databases know 1"):
        opens(somebody())


def test_a_shorter_file_is_refused() -> None:
    erased(somebody())
    erased(somebody())
    lines = the_file().read_bytes().splitlines(keepends=True)
    the_file().write_bytes(lines[0])
    assert "Bring back the true copy" in refused()


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_line_is_refused(line: int) -> None:
    erased(somebody())
    erased(somebody())
    lines = the_file().read_text().splitlines()
    lines[line] = json.dumps({**json.loads(lines[line]), "tenant_id": 99})
    the_file().write_text("\n".join(lines) + "\n")
    assert f"broken at line {line + 1}" in refused()


def test_a_file_of_another_installation_is_refused() -> None:
    erased(somebody())
    text = the_file().read_text()
    entry = erasure_ledger.entry_of(json.loads(text))
    the_file().write_bytes(replace(entry, tenant_id=99).chained_to(None).line())
    assert "do not contain" in refused()
    store.forget()
    with pytest.raises(NotReplayed, match="another installation"):
        opens(somebody())


def test_a_line_that_was_cut_off_is_dropped_and_written_again() -> None:
    erased(somebody())
    with the_file().open("ab") as file:
        file.write(b'{"number":2,"erasu')
    assert len(erasure_ledger.read()) == 1
    erased(somebody())
    assert [entry.number for entry in erasure_ledger.read()] == [1, 2]


def test_an_unreachable_folder_leaves_the_erasure_incomplete(tmp_path: Path) -> None:
    ada = somebody()
    (tmp_path / "file").touch()
    with override_settings(ERASURE_LEDGER=[str(tmp_path / "file" / "ledger.jsonl")]):
        tried = erased(ada)
        assert tried.state == Erasure.State.INCOMPLETE
        assert "cannot be reached" in tried.problem
    assert erased(ada).state == Erasure.State.COMPLETE


def test_every_file_holds_the_whole_ledger(tmp_path: Path) -> None:
    erased(somebody())
    with override_settings(ERASURE_LEDGER=[str(the_file()), str(tmp_path / "second" / "ledger.jsonl")]):
        erased(somebody())
        first, second = erasure_ledger.paths()
        assert first.read_bytes() == second.read_bytes()
        assert second.stat().st_mode & 0o777 == 0o600
        first.unlink()
        assert len(erasure_ledger.read()) == 2
        replays.replay(by=THE_SYSTEM)
        assert first.read_bytes() == second.read_bytes()


def test_two_files_that_differ_are_refused(tmp_path: Path) -> None:
    erased(somebody())
    other = tmp_path / "other.jsonl"
    entry = erasure_ledger.read()[0]
    other.write_bytes(replace(entry, tenant_id=99).chained_to(None).line())
    with override_settings(ERASURE_LEDGER=[str(the_file()), str(other)]), pytest.raises(LedgerBroken):
        erasure_ledger.read()


def test_a_ledger_that_never_was_has_to_be_confirmed() -> None:
    if the_file().exists():
        the_file().unlink()
    with pytest.raises(LedgerUnreachable):
        replays.replay(by=THE_SYSTEM)


def test_the_gate_is_open_where_nobody_was_erased() -> None:
    erasure_gate.require_replayed()


def test_fingerprints_of_dead_keys_come_back_with_a_replay() -> None:
    ada = somebody()
    backup = Backup("keys")
    done = erased(ada)
    backup.restore()
    assert not DeadKey.objects.exists()
    replays.replay(by=THE_SYSTEM)
    assert {bytes(key.fingerprint).hex() for key in DeadKey.objects.all()} == set(done.fingerprints)


def test_the_mark_is_one_row() -> None:
    with pytest.raises(Exception, match="erasure_mark_is_one"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO compliance_erasuremark (id, number, entry_hash) VALUES (2, 0, '')")
