"""Places of backups: a folder, and a bucket of S3, which moto plays in this process. Both do the same."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.test import override_settings
from moto import mock_aws

from compliance.actions import backups, drills
from compliance.backups import keeping, places
from compliance.backups.places import MANIFEST, Bucket, Folder, Place, place_at
from compliance.errors import BackupBroken, BackupFailed
from compliance.models import BackupRun, RestoreDrill
from tests.factories import THE_SYSTEM
from tests.factories.backups import let_ledger_agree

LABEL, LATER = "20260101T020000Z-0a1b2c", "20260102T020000Z-0a1b2c"
BIG = b"x" * (places.PART_BYTES + 1_000_000)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of this test's own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        places._client.cache_clear()
        name = f"backups-{uuid.uuid4().hex[:8]}"
        boto3.client("s3").create_bucket(Bucket=name)
        yield name
    places._client.cache_clear()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Folder(tmp_path / "backups")
    return Bucket(request.getfixturevalue("bucket"), "portcullis/data")


def write(place: Place, label: str, name: str, *pieces: bytes) -> None:
    with place.writing(label, name) as take:
        for piece in pieces:
            take(piece)


def test_it_works(place: Place) -> None:
    write(place, LATER, "default.dump", b"one ", b"two")
    write(place, LABEL, MANIFEST, b"{}")
    assert place.labels() == [LABEL, LATER]
    assert b"".join(place.read(LATER, "default.dump")) == b"one two"
    assert place.has(LABEL, MANIFEST)
    assert not place.has(LATER, MANIFEST)
    place.remove(LATER)
    assert place.labels() == [LABEL]


def test_what_is_long_arrives_whole(place: Place) -> None:
    write(place, LABEL, "default.dump", BIG, b"", b"end")
    assert b"".join(place.read(LABEL, "default.dump")) == BIG + b"end"


def test_what_was_not_written_to_its_end_is_not_there(place: Place) -> None:
    def broken_off() -> None:
        with place.writing(LABEL, "default.dump") as take:
            take(BIG)
            raise RuntimeError("the dump broke off")

    with pytest.raises(RuntimeError):
        broken_off()
    assert not place.has(LABEL, "default.dump")
    place.remove(LABEL)
    assert place.labels() == []


def test_what_is_missing_is_told(place: Place) -> None:
    with pytest.raises(BackupBroken, match=r"default\.dump is missing in"):
        b"".join(place.read(LABEL, "default.dump"))
    place.remove(LABEL)


def test_what_a_dead_process_left_half_uploaded_is_found_and_removed(bucket: str) -> None:
    place, client = Bucket(bucket, "data"), boto3.client("s3")
    client.create_multipart_upload(Bucket=bucket, Key=f"data/{LABEL}/default.dump")
    assert place.labels() == [LABEL]
    place.remove(LABEL)
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(BackupFailed, match="S3 refuses bucket nowhere: NoSuchBucket"):
        write(Bucket("nowhere", ""), LABEL, MANIFEST, b"{}")


def test_a_server_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "tests"), ("AWS_SECRET_ACCESS_KEY", "tests")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    places._client.cache_clear()
    with pytest.raises(BackupFailed, match="S3 does not answer for bucket away"):
        Bucket("away", "").labels()
    places._client.cache_clear()


def test_settings_name_either() -> None:
    assert isinstance(place_at("s3://some-bucket/a/prefix"), Bucket)
    assert isinstance(place_at("/backups"), Folder)


def test_files_of_a_folder_are_their_owners_alone(tmp_path: Path) -> None:
    write(Folder(tmp_path / "data"), LABEL, "default.dump", b"x")
    assert (tmp_path / "data" / LABEL / "default.dump").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("databases")
@pytest.mark.opens_transactions("a dump shows one state of a database, however long it takes")
def test_a_backup_goes_to_s3_and_comes_back(bucket: str, tmp_path: Path) -> None:
    BackupRun.objects.all().delete()
    let_ledger_agree()
    where = {"BACKUP_PLACE": f"s3://{bucket}/data", "KEYS_BACKUP_PLACE": f"s3://{bucket}/keys"}
    with override_settings(**where, VAR_DIR=tmp_path):
        data, _ = backups.back_up(by=THE_SYSTEM)
        assert keeping.is_label(data.label)
        drill = drills.drill(by=THE_SYSTEM)
    assert (drill.problem, drill.state) == ("", RestoreDrill.State.PASSED)
    assert not list(tmp_path.rglob("*.dump"))
