"""Evidence for a period: all that it should hold, nothing of end users, and a verifier that finds each change."""

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.actions import tenants
from compliance import signing
from compliance.actions import packs, readings
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, EvidencePack, JobRun
from compliance.packs import files, sections, verify
from compliance.packs.sections import Period, Section
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.control import an_admin
from tests.factories.retention import THE_OFFICER, a_hold_request

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

VERIFY = Path(verify.__file__)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.EXPORTS_DIR = tmp_path
    return tmp_path


def a_pack(framework: str = "all", **fields: Any) -> EvidencePack:
    today = timezone.now().date()
    values = {"first_day": today - timedelta(days=30), "last_day": today, "framework": framework, **fields}
    pack = packs.request(pack=EvidencePack(**values), by=THE_OFFICER)
    packs.make(pack=pack, by=THE_SYSTEM)
    return pack


def archive_of(pack: EvidencePack) -> zipfile.ZipFile:
    return zipfile.ZipFile(files.path_of(pack.public_id))


def rows(pack: EvidencePack, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(archive_of(pack).read(f"{name}.json"))
    return found


def run(path: Path, *arguments: str) -> tuple[int, str]:
    """The verifier as somebody elsewhere runs it: isolated from the project."""
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFY), str(path), *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def key() -> str:
    return signing.public_keys()[0].hex()


def test_it_works() -> None:
    acme = a_key()[0].tenant
    a_hold_request(acme)
    person = an_admin()
    pack = a_pack()
    assert (pack.state, pack.asked_by_id) == ("ready", "1001")
    assert any(row["target"] == f"tenant {acme.pk}" for row in rows(pack, "configuration_changes"))
    assert any(row["username"] == person.username for row in rows(pack, "users"))
    assert rows(pack, "approvals")[0]["action"] == "legal_hold.placed"
    assert rows(pack, "checkpoints")
    assert {row["state"] for row in rows(pack, "controls")} <= {"ok", "attention", "missing", "failed"}
    code, text = run(files.path_of(pack.public_id), "--key", key())
    assert code == 0, text
    assert "RIGHT" in text


def test_both_forms_say_the_same() -> None:
    a_key()
    pack = a_pack()
    archive = archive_of(pack)
    for each in sections.sections("all"):
        told = list(csv.DictReader(io.StringIO(archive.read(f"{each.name}.csv").decode(), newline="")))
        assert len(told) == len(rows(pack, each.name))
        assert tuple(archive.read(f"{each.name}.csv").decode().splitlines()[0].split(",")) == each.columns


def test_the_page_tells_what_there_is() -> None:
    pack = a_pack()
    page = archive_of(pack).read("index.html").decode()
    for each in sections.sections("all"):
        assert each.title in page
        assert f'href="{each.name}.csv"' in page
    assert "None in this period." in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize(
    ("framework", "there", "not_there"),
    [
        ("soc2", "restore_drills", "records_of_processing"),
        ("gdpr", "records_of_processing", "failed_and_refused"),
        ("hipaa", "readings", "erasures"),
        ("ai_act", "failed_and_refused", "users"),
    ],
)
def test_a_framework_gets_what_it_asks_for(framework: str, there: str, not_there: str) -> None:
    names = archive_of(a_pack(framework)).namelist()
    assert f"{there}.csv" in names
    assert f"{not_there}.csv" not in names


def test_what_was_outside_of_the_period_is_not_in_it() -> None:
    a_tenant()
    last_year = timezone.now().date() - timedelta(days=400)
    pack = a_pack(first_day=last_year, last_day=last_year + timedelta(days=30))
    assert rows(pack, "configuration_changes") == []
    assert rows(pack, "users") == [] or pack.records  # what is so now is there whatever the period


def test_no_end_user_is_named() -> None:
    acme = a_tenant()
    a_content_policy(acme)
    subject = a_subject(acme, "somebody@example.com")
    a_consent(subject)
    transcript = a_transcript(subject)
    readings.read(transcript=transcript, reason="a complaint", may_read_restricted=False, by=THE_OFFICER)
    pack = a_pack()
    archive = archive_of(pack)
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert subject.surrogate.encode() not in everything
    assert b"somebody@example.com" not in everything
    assert any(row["action"] == "transcript.read" for row in rows(pack, "readings"))


def test_hostile_names_run_nothing() -> None:
    acme = a_tenant()
    acme.name = "=cmd|'/c calc'!A1<script>alert(1)</script>"
    tenants.change(tenant=acme, by=THE_SYSTEM)
    archive = archive_of(a_pack())
    assert "<script>alert" not in archive.read("index.html").decode()
    for name in archive.namelist():
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(archive.read(name).decode(), newline="")):
                assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row)


class TestVerifier:
    @pytest.fixture
    def path(self) -> Path:
        a_tenant()
        return files.path_of(a_pack().public_id)

    def rewritten(self, path: Path, change: Any) -> Path:
        """The pack with its files changed: name → bytes, or None to leave one out."""
        out = path.with_name(f"{uuid4().hex}.zip")
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                if (content := change(name, old.read(name))) is not None:
                    new.writestr(name, content)
        return out

    def test_one_bit_in_any_file_is_found(self, path: Path) -> None:
        for victim in zipfile.ZipFile(path).namelist():
            changed = self.rewritten(
                path,
                lambda name, data: bytes([data[0] ^ 1, *data[1:]]) if name == victim else data,  # noqa: B023
            )
            assert run(changed, "--key", key())[0] == 1, victim

    def test_one_bit_anywhere_in_the_zip_file_is_found(self, path: Path) -> None:
        whole = path.read_bytes()
        out = path.with_name("flipped.zip")
        for at in (0, 5, 11, len(whole) // 3, len(whole) - 100, len(whole) - 70, len(whole) - 1):
            out.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
            assert run(out, "--key", key())[0] == 1, at
        out.write_bytes(whole + b"\0")
        assert run(out, "--key", key())[0] == 1

    def test_one_bit_anywhere_is_found_also_with_the_right_hash_at_the_end(self, path: Path) -> None:
        whole = path.read_bytes()
        out = path.with_name("flipped.zip")
        first = int.from_bytes(whole[-70:-66], "little")
        of_no_matter = {first + 4, first + 5, first + 6, first + 7, *range(first + 38, first + 42), 4, 5}
        """Which program wrote it, for which version, and the rights of a file."""
        for at in sorted({*range(120), *range(first, first + 60), *range(len(whole) - 90, len(whole) - 64)}):
            flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            assert self.refused(out, flipped), at
            assert at in of_no_matter or self.refused(out, self.sealed(flipped)), at

    def sealed(self, whole: bytes) -> bytes:
        return whole[:-64] + hashlib.sha256(whole[:-64]).hexdigest().encode()

    def refused(self, out: Path, whole: bytes) -> bool:
        out.write_bytes(whole)
        try:
            verify.check(verify.Pack(out))
        except Exception:
            return True
        return False

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace(b"{", b'{"payload": {"framework": "FORGED"}, ', 1),
            lambda text: text.replace(b": ", b":", 1),
            lambda text: text + b"\n",
            lambda text: re.sub(rb"(.)==", lambda found: bytes([found[1][0] + 1]) + b"==", text),
        ],
        ids=["a name twice", "another space", "a line more", "another form of the signature"],
    )
    def test_a_manifest_has_one_form(self, path: Path, change: Any) -> None:
        changed = self.rewritten(path, lambda name, data: change(data) if name == verify.MANIFEST else data)
        code, text = run(changed, "--key", key())
        assert code == 1
        assert "manifest" in text

    def test_a_folder_in_the_zip_file_is_a_file_that_was_added(self, path: Path) -> None:
        out = path.with_name("more.zip")
        shutil.copy(path, out)
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr("evidence/", "hidden content")
        code, text = run(out)
        assert code == 1
        assert "evidence/ is not in the manifest" in text

    def test_a_file_between_the_files_is_found(self, path: Path) -> None:
        whole, out = path.read_bytes(), path.with_name("forged.zip")
        first, forged = int.from_bytes(whole[-70:-66], "little"), io.BytesIO()
        with zipfile.ZipFile(forged, "w") as archive:
            archive.writestr("users.csv", "made up")
        more = forged.getvalue()[: forged.getvalue().index(b"PK\1\2")]
        moved = whole[:first] + more + whole[first:-70] + (first + len(more)).to_bytes(4, "little") + whole[-66:]
        out.write_bytes(self.sealed(moved))
        code, text = run(out, "--key", key())
        assert code == 1
        assert "between its last file and its directory" in text

    def test_a_file_without_a_key_is_said(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "keys").write_text("\n")
        assert run(path, "--key", str(tmp_path / "keys"))[0] == 2
        assert run(path, "--key", key(), "--key", str(tmp_path / "keys"))[0] == 2

    def test_a_link_in_a_folder_is_found(self, path: Path, tmp_path: Path) -> None:
        folder = tmp_path / "unpacked"
        zipfile.ZipFile(path).extractall(folder)
        (folder / "users.csv").rename(tmp_path / "users.csv")
        (folder / "users.csv").symlink_to(tmp_path / "users.csv")
        assert run(folder, "--key", key())[0] == 1

    def test_a_file_that_is_missing_is_named(self, path: Path) -> None:
        code, text = run(self.rewritten(path, lambda name, data: None if name == "users.csv" else data))
        assert code == 1
        assert "users.csv is missing" in text

    def test_a_file_that_was_added_is_named(self, path: Path) -> None:
        out = self.rewritten(path, lambda name, data: data)
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr("more.csv", "made up")
        code, text = run(out)
        assert code == 1
        assert "more.csv" in text

    def test_another_installations_key_is_refused(self, path: Path) -> None:
        code, text = run(path, "--key", "00" * 32)
        assert code == 1
        assert "none of those given" in text

    def test_without_a_key_it_vouches_for_nothing(self, path: Path) -> None:
        assert run(path)[0] == 3

    def test_what_is_no_key_is_said(self, path: Path) -> None:
        assert run(path, "--key", "no such file")[0] == 2

    def test_another_document_of_the_same_installation_is_refused(self, path: Path) -> None:
        signed = json.dumps(signing.sign({"format": verify.FORMAT, "files": []}, kind="something else")).encode()
        changed = self.rewritten(path, lambda name, data: signed if name == verify.MANIFEST else data)
        code, text = run(changed)
        assert code == 1
        assert "another kind" in text

    def test_a_folder_verifies_too(self, path: Path, tmp_path: Path) -> None:
        folder = tmp_path / "unpacked"
        zipfile.ZipFile(path).extractall(folder)
        assert run(folder, "--key", key())[0] == 0

    def test_what_is_no_zip_file_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "pack.zip").write_bytes(b"nothing")
        assert run(tmp_path / "pack.zip")[0] == 1


class TestMaking:
    @pytest.fixture
    def dies(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """A section whose reading kills the process that makes the pack, as long as this holds something."""
        alive: list[bool] = [True]

        def rows(period: Period) -> Iterator[dict[str, Any]]:
            if alive:
                raise KeyboardInterrupt
            yield {"a": 1}

        section = Section(name="fatal", title="Fatal", why="It kills.", columns=("a",), rows=rows)
        monkeypatch.setitem(sections._sections, "fatal", section)
        return alive

    def test_one_that_was_cut_off_is_made_from_the_beginning(self, dies: list[bool], folder: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            a_pack()
        pack = EvidencePack.objects.get()
        assert pack.state == "running"
        dies.clear()
        assert packs.make_waiting(by=THE_SYSTEM) == 1
        assert [each.name for each in (folder / "packs").iterdir()] == [f"{pack.public_id}.zip"]
        assert JobRun.objects.filter(kind=packs.KIND, state="done").count() == 1

    def test_after_several_tries_it_is_given_up(self, dies: list[bool]) -> None:
        with pytest.raises(KeyboardInterrupt):
            a_pack()
        EvidencePack.objects.update(attempts=packs.MOST_ATTEMPTS)
        assert packs.make_waiting(by=THE_SYSTEM) == 0
        assert EvidencePack.objects.get().state == "failed"

    def test_a_download_is_in_the_audit_log(self) -> None:
        pack = a_pack()
        taken = b"".join(packs.download(pack=pack, by=THE_OFFICER))
        assert taken == files.path_of(pack.public_id).read_bytes()
        told = AuditEvent.objects.get(action="evidencepack.downloaded")
        assert (told.actor_id, told.after["sha256"]) == ("1001", pack.sha256)

    def test_when_its_time_is_over_the_file_goes(self) -> None:
        pack = a_pack()
        assert pack.expires_on is not None
        assert packs.delete_due(by=THE_SYSTEM, as_of=pack.expires_on - timedelta(days=1)) == 0
        assert packs.delete_due(by=THE_SYSTEM, as_of=pack.expires_on) == 1
        assert not files.path_of(pack.public_id).exists()
        pack.refresh_from_db()
        with pytest.raises(ActionRefused, match="not there"):
            packs.download(pack=pack, by=THE_OFFICER)

    @pytest.mark.parametrize(
        ("first", "last"), [(10, -1), (-3000, 0), (1, 5)], ids=["backwards", "too long", "not begun"]
    )
    def test_a_period_that_makes_no_sense_is_refused(self, first: int, last: int) -> None:
        today = timezone.now().date()
        with pytest.raises(ValidationError):
            a_pack(first_day=today + timedelta(days=first), last_day=today + timedelta(days=last))

    def test_the_command(self, tmp_path: Path) -> None:
        out, told = tmp_path / "q1.zip", io.StringIO()
        call_command(
            "evidence_pack", "--from", "2026-01-01", "--to", "2026-03-31", "--framework", "soc2", out=out, stdout=told
        )
        assert str(out) in told.getvalue()
        assert out.stat().st_mode & 0o777 == 0o600
        assert run(out, "--key", key())[0] == 0

    def test_the_command_says_what_is_wrong(self) -> None:
        with pytest.raises(CommandError, match="before the first"):
            call_command("evidence_pack", "--from", "2026-03-31", "--to", "2026-01-01")

    def test_a_row_of_other_columns_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def rows(period: Period) -> Iterator[dict[str, Any]]:
            yield {"b": 1}

        wrong = Section(name="wrong", title="Wrong", why="It is.", columns=("a",), rows=rows)
        monkeypatch.setitem(sections._sections, "wrong", wrong)
        with pytest.raises(ValueError, match="other columns"):
            a_pack()


def test_a_period_is_whole_days() -> None:
    period = Period(date(2026, 1, 1), date(2026, 1, 31))
    assert period.since.isoformat() == "2026-01-01T00:00:00+00:00"
    assert period.until.isoformat() == "2026-02-01T00:00:00+00:00"
