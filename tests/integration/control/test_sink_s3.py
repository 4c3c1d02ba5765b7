"""Checkpoints in S3 with object lock, which moto plays in this process."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.utils import timezone
from moto import mock_aws

from compliance.sinks import SinkUnavailable
from compliance.sinks.s3 import S3

REGION = "eu-central-1"
ACME, UMBRELLA = "portcullis/abc/tenant/1", "portcullis/abc/tenant/12"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("s3", region_name=REGION)


@pytest.fixture
def bucket(client: Any) -> str:
    where = {"LocationConstraint": REGION}
    client.create_bucket(Bucket="kept", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)
    return "kept"


@pytest.fixture
def sink(bucket: str) -> S3:
    return S3(bucket=bucket, prefix="checkpoints", days=30, endpoint="")


def test_it_works(sink: S3) -> None:
    for size in (1, 12, 5):
        sink.put(ACME, size, f"note of {size}\n")
    sink.put(UMBRELLA, 99, "note of another\n")
    assert [(held.size, held.note) for held in sink.all(ACME)] == [
        (1, "note of 1\n"),
        (5, "note of 5\n"),
        (12, "note of 12\n"),
    ]
    latest = sink.latest(ACME)
    assert latest is not None
    assert (latest.sink, latest.origin, latest.size, latest.note) == ("s3", ACME, 12, "note of 12\n")
    assert [held.origin for held in sink.all()] == [ACME, ACME, ACME, UMBRELLA]
    assert sink.latest("portcullis/abc/platform") is None


def test_it_can_be_taken_back_by_nobody(sink: S3, client: Any, bucket: str) -> None:
    sink.put(ACME, 1, "note\n")
    [version] = client.list_object_versions(Bucket=bucket)["Versions"]
    kept = client.head_object(Bucket=bucket, Key=version["Key"])
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert kept["ObjectLockRetainUntilDate"] > timezone.now() + timedelta(days=29)
    with pytest.raises(ClientError):
        client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_what_hides_one_hides_nothing(sink: S3, client: Any, bucket: str) -> None:
    sink.put(ACME, 1, "note\n")
    key = client.list_object_versions(Bucket=bucket)["Versions"][0]["Key"]
    client.put_object(Bucket=bucket, Key=key, Body=b"forged\n")
    client.delete_object(Bucket=bucket, Key=key)
    client.put_object(Bucket=bucket, Key=f"checkpoints/{ACME}/stray.txt", Body=b"x")
    assert [held.note for held in sink.all(ACME)] == ["note\n"]
    assert sink.latest(ACME) == next(sink.all(ACME))


@pytest.mark.usefixtures("client")
def test_a_bucket_that_is_not_there_or_does_not_answer_is_said() -> None:
    with pytest.raises(SinkUnavailable):
        S3(bucket="nowhere", prefix="", days=1, endpoint="").put(ACME, 1, "note\n")
    with pytest.raises(SinkUnavailable):
        S3(bucket="nowhere", prefix="", days=1, endpoint="http://127.0.0.1:9").latest(ACME)


def test_a_checkpoint_that_is_offered_again_is_kept_once(sink: S3, client: Any, bucket: str) -> None:
    sink.put(ACME, 1, "note\n")
    sink.put(ACME, 1, "note\n")
    assert len(client.list_object_versions(Bucket=bucket)["Versions"]) == 1
