"""What a person gets who asks for their data: all of theirs, nothing of anybody else's, and in clear only there."""

import hashlib
import io
import json
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.utils import timezone
from structlog.testing import capture_logs

from compliance import registry, signing, unreadable
from compliance.actions import exports, request_steps
from compliance.contracts import Actor
from compliance.errors import DecryptionFailed, RequestRefused
from compliance.exports import contents, files, sealed
from compliance.keyring.store import DataKey
from compliance.models import AuditEvent, Rectification, Subject, SubjectExport, SubjectRequest
from compliance.registry import Person
from compliance.rights import Right
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_request, a_subject, a_transcript
from tests.factories.control import a_usage_record

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    settings.EXPORTS_DIR = tmp_path / "exports"
    return tmp_path / "exports"


OLGA = Actor(kind="user", id="olga")


def fulfilled(subject: Subject, right: str = "access") -> SubjectRequest:
    request: SubjectRequest = a_request(subject, right, state="queued")
    request_steps.execute(request=request, by=THE_SYSTEM)
    request.refresh_from_db()
    assert request.state == "fulfilled", [(step.store, step.error) for step in request.steps.all()]
    return request


def downloaded(request: SubjectRequest) -> bytes:
    return b"".join(exports.hand_over(request=request, by=THE_SYSTEM))


def unzipped(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def somebody(tenant: Any, name: str) -> tuple[Subject, list[str]]:
    """A person about whom every way of storing something has stored something, and the words that tell them apart."""
    person = a_subject(tenant, f"canary-id-{name}@example.com")
    words = [f"canary-{word}-{name}" for word in ("prompt", "method", "details", "correction")]
    a_consent(person, collection_method=words[1])
    a_transcript(person, words[0])
    a_usage_record(a_key(tenant=tenant)[0], end_user=person.surrogate)
    correction: SubjectRequest = a_request(person, "rectification", details=words[3], state="queued")
    request_steps.execute(request=correction, by=THE_SYSTEM)
    a_request(person, "objection", details=words[2])
    return person, [f"canary-id-{name}@example.com", person.surrogate, *words]


def test_everything_of_a_person_and_nothing_of_others() -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    for tenant in (acme, umbrella):
        a_content_policy(tenant)
    ada, hers = somebody(acme, "ada")
    others = [word for tenant, name in ((acme, "bob"), (umbrella, "eve")) for word in somebody(tenant, name)[1]]
    archive = unzipped(downloaded(fulfilled(ada)))
    records = b"".join(text for name, text in archive.items() if name.endswith(".jsonl")).decode()
    assert [word for word in hers if word not in records] == []
    assert [word for word in hers if word not in archive["index.html"].decode()] == []
    everything = b"".join(archive.values()).decode()
    assert [word for word in others if word in everything] == []
    assert umbrella.name not in everything


def test_every_store_of_people_is_asked() -> None:
    request = fulfilled(a_subject())
    asked = {step.store for step in request.steps.all()} - {"export"}
    assert asked == {store.name for store in registry.stores() if store.export}
    assert {"compliance.subject", "compliance.transcript", "compliance.consentrecord"} <= asked


def test_the_manifest_is_signed_and_lists_every_file() -> None:
    request = fulfilled(a_subject())
    raw = downloaded(request)
    archive = unzipped(raw)
    manifest = json.loads(archive.pop("manifest.json"))
    assert signing.verify(manifest, public=signing.public_keys())
    assert manifest["payload"]["request_id"] == str(request.public_id)
    listed = {file["name"]: file for file in manifest["payload"]["files"]}
    assert listed.keys() == archive.keys()
    for name, text in archive.items():
        assert (listed[name]["sha256"], listed[name]["bytes"]) == (hashlib.sha256(text).hexdigest(), len(text))
        if name.endswith(".jsonl"):
            assert listed[name]["records"] == len([json.loads(line) for line in text.splitlines()])
    assert request.export.zip_sha256 == hashlib.sha256(raw).hexdigest()
    assert request.export.manifest == manifest


def test_what_a_person_wrote_is_shown_as_text(folder: Path) -> None:
    ada = a_subject()
    a_consent(ada, collection_method="<script>alert(1)</script>")
    page = unzipped(downloaded(fulfilled(ada)))["index.html"].decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_portability_is_what_they_provided_as_json_lines() -> None:
    acme = a_tenant()
    a_content_policy(acme)
    ada, _ = somebody(acme, "ada")
    archive = unzipped(downloaded(fulfilled(ada, "portability")))
    assert "index.html" not in archive
    assert b"canary-prompt-ada" in archive["records/compliance.transcript.jsonl"]
    assert archive.keys() - {"manifest.json"} == {
        f"records/{store.name}.jsonl" for store in contents.stores_for(Right.PORTABILITY)
    }
    assert "records/billing.usagerecord.jsonl" not in archive


# --- what does not open ----------------------------------------------------------------------------------------------


def alter(table: str, column: str, where: str, value: Any) -> None:
    """Turns one bit of a sealed text around, as a failing disk does."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = set_bit({column}, 960, 1 - get_bit({column}, 960)) WHERE {where} = %s",
            [value],
        )
        assert cursor.rowcount == 1


def records_of(archive: dict[str, bytes], store: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive[f"records/{store}.jsonl"].splitlines()]


def test_a_conversation_that_does_not_open_keeps_nobody_from_the_others() -> None:
    acme = a_tenant()
    a_content_policy(acme)
    ada, _ = somebody(acme, "ada")
    damaged = a_transcript(ada, "canary-damaged")
    alter("transcript", "sealed", "id", damaged.pk)
    with capture_logs() as logged:
        request = fulfilled(ada)
    archive = unzipped(downloaded(request))
    found = {record["id"]: record for record in records_of(archive, "compliance.transcript")}
    assert len(found) == 2
    told = found.pop(str(damaged.pk))
    assert (told["content"], told["problem"]) == (None, "cannot be decrypted")
    (other,) = found.values()
    assert "canary-prompt-ada" in json.dumps(other["content"])
    assert "problem" not in other
    listed = {file["name"]: file for file in json.loads(archive["manifest.json"])["payload"]["files"]}
    assert listed["records/compliance.transcript.jsonl"]["unreadable"] == 1
    assert [name for name, file in listed.items() if "unreadable" in file] == ["records/compliance.transcript.jsonl"]
    assert request.export.unreadable == 1
    assert "(1 cannot be decrypted)" in archive["index.html"].decode()
    assert {entry["name"] for entry in logged} == {str(damaged.pk)}


@pytest.mark.parametrize(
    ("table", "column", "store", "field"),
    [
        ("compliance_subject", "external_id", "compliance.subject", "external_id"),
        ("compliance_rectification", "statement", "compliance.rectification", "statement"),
        ("compliance_subjectrequest", "details", "compliance.subjectrequest", "details"),
    ],
    ids=["external id", "correction", "words"],
)
def test_other_texts_that_do_not_open_are_told_of_too(table: str, column: str, store: str, field: str) -> None:
    acme = a_tenant()
    a_content_policy(acme)
    ada, _ = somebody(acme, "ada")
    row: Any = {
        "compliance_subject": ada,
        "compliance_rectification": Rectification.objects.get(subject=ada),
        "compliance_subjectrequest": SubjectRequest.objects.get(subject=ada, right="objection"),
    }[table]
    alter(table, column, "id", row.pk)
    records = records_of(unzipped(downloaded(fulfilled(ada))), store)
    assert [record[field] for record in records if "problem" in record] == [None]


def test_of_a_tenant_everybody_else_is_exported_whose_texts_open() -> None:
    acme = a_tenant()
    a_content_policy(acme)
    ada, _ = somebody(acme, "ada")
    somebody(acme, "bob")
    with connections["keys"].cursor() as cursor:
        cursor.execute("UPDATE keys_subjectkey SET wrapped = %s WHERE surrogate = %s", [b"\1" * 61, ada.surrogate])
    found = {}
    for name in ("compliance.transcript", "compliance.subject", "compliance.rectification"):
        store = contents.store_named(name)
        assert store
        assert store.export_tenant
        found[name] = list(store.export_tenant(acme.pk))
    for records in found.values():
        lacking = [record for record in records if unreadable.is_so(record)]
        assert len(lacking) == 1, records
        assert len(records) == 2
    assert "canary-prompt-bob" in json.dumps(found["compliance.transcript"])


# --- on disk -----------------------------------------------------------------------------------------------------


def test_nothing_of_it_is_on_disk_in_clear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "drop_parts", lambda request_id: None)
    acme = a_tenant()
    a_content_policy(acme)
    ada, words = somebody(acme, "ada")
    request = fulfilled(ada)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) == request.steps.count()
    for path in written:
        assert path.stat().st_mode & 0o077 == 0
        found = path.read_bytes()
        assert found.startswith(sealed.MAGIC)
        assert not [word for word in words if word.encode() in found]
        assert b"PK\x03\x04" not in found


def test_only_the_archive_stays(folder: Path) -> None:
    request = fulfilled(a_subject())
    assert [path for path in folder.rglob("*") if path.is_file()] == [files.whole(request.public_id)]


def test_an_erasure_takes_the_export_with_it() -> None:
    ada = a_subject()
    request = fulfilled(ada)
    copy = files.whole(request.public_id).read_bytes()
    fulfilled(ada, "erasure")
    with pytest.raises(RequestRefused):
        downloaded(request)
    # Also for whoever has a copy of the file: the key is gone.
    files.whole(request.public_id).write_bytes(copy)
    SubjectExport.objects.filter(request=request).update(deleted_at=None)
    with pytest.raises(RequestRefused, match="was erased"):
        downloaded(request)


PERSON = Person(1, "eu_aaaaaaaaaaaaaaaaaaaaaaaa")
KEY = DataKey(uuid.UUID(int=1), b"k" * 32)


def a_sealed_file(path: Path, plaintext: bytes, *, person: Person = PERSON, file_id: str = "f") -> Path:
    with sealed.writing(path, person=person, file_id=file_id, key=KEY) as out:
        out.write(plaintext)
    return path


def opened(path: Path, *, person: Person = PERSON, file_id: str = "f") -> bytes:
    return b"".join(sealed.pieces(path, person=person, file_id=file_id, key=KEY))


@pytest.mark.parametrize("size", [0, 1, sealed.PIECE - 1, sealed.PIECE, sealed.PIECE + 1, 3 * sealed.PIECE + 7])
def test_a_file_opens_as_it_was_written(tmp_path: Path, size: int) -> None:
    plaintext = bytes(n % 251 for n in range(size))
    path = a_sealed_file(tmp_path / "f", plaintext)
    assert opened(path) == plaintext
    assert b"\n".join(sealed.lines(path, person=PERSON, file_id="f", key=KEY)) == plaintext.removesuffix(b"\n")


def split(path: Path) -> list[bytes]:
    raw, pieces = path.read_bytes()[4:], []
    while raw:
        length = 4 + int.from_bytes(raw[:4], "big")
        pieces.append(raw[:length])
        raw = raw[length:]
    return pieces


@pytest.mark.parametrize(
    "harm",
    [
        lambda pieces: pieces[:-1],
        lambda pieces: pieces[1:],
        lambda pieces: [pieces[1], pieces[0], *pieces[2:]],
        lambda pieces: [*pieces, pieces[-1]],
        lambda pieces: [*pieces[:-1], pieces[-1][:-1]],
        lambda pieces: [*pieces[:-1], pieces[-1][:-1] + bytes([pieces[-1][-1] ^ 1])],
        lambda pieces: [],
    ],
    ids=["cut off", "beheaded", "exchanged", "longer", "a byte short", "a bit flipped", "empty"],
)
def test_a_file_that_was_tampered_with_does_not_open(tmp_path: Path, harm: Any) -> None:
    path = a_sealed_file(tmp_path / "f", b"x" * (2 * sealed.PIECE + 5))
    path.write_bytes(sealed.MAGIC + b"".join(harm(split(path))))
    with pytest.raises(DecryptionFailed):
        opened(path)


def test_a_file_of_another_person_or_request_does_not_open(tmp_path: Path) -> None:
    path = a_sealed_file(tmp_path / "f", b"x")
    for other in ({"person": Person(1, "eu_b")}, {"person": Person(2, PERSON.surrogate)}, {"file_id": "g"}):
        with pytest.raises(DecryptionFailed):
            opened(path, **other)


def test_a_file_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def half() -> None:
        with sealed.writing(tmp_path / "f", person=PERSON, file_id="f", key=KEY) as out:
            out.write(b"x" * 3 * sealed.PIECE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list(tmp_path.iterdir()) == []


# --- handing out -------------------------------------------------------------------------------------------------


def test_each_download_is_recorded_before_it_begins() -> None:
    request = fulfilled(a_subject())
    pieces = exports.download(request=request, by=OLGA, reason="asked for by phone", may_read_restricted=False)
    event = AuditEvent.objects.get(action="subjectrequest.downloaded", target_id=str(request.pk))
    assert (event.actor_id, event.reason) == (OLGA.id, "asked for by phone")
    assert event.after["surrogate"] == request.subject.surrogate
    assert event.after["zip_sha256"] == request.export.zip_sha256
    assert request.events.filter(kind="downloaded").count() == 1
    assert SubjectExport.objects.get(request=request).downloads == 1
    assert next(pieces).startswith(b"PK")


def test_there_is_no_file_before_the_end() -> None:
    with pytest.raises(RequestRefused, match="no file yet"):
        downloaded(a_request())


def test_it_is_deleted_when_its_time_is_over(folder: Path) -> None:
    request = fulfilled(a_subject())
    day_before = request.export.expires_on - timedelta(days=1)
    assert exports.delete_due(by=THE_SYSTEM, as_of=day_before) == 0
    assert exports.delete_due(by=THE_SYSTEM, as_of=request.export.expires_on) == 1
    assert not [path for path in folder.rglob("*") if path.is_file()]
    with pytest.raises(RequestRefused, match="was deleted"):
        downloaded(request)
    assert exports.delete_due(by=THE_SYSTEM, as_of=timezone.now().date() + timedelta(days=9999)) == 0
