"""Checkpoints in an S3 bucket with object lock: for so many days nobody can delete or overwrite one, its owner
included.

An object for each checkpoint, named so that a listing gives the newest of a log first.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.utils import timezone

from compliance.sinks import Held, SinkUnavailable

_MOST = 10**18
_NAME = re.compile(r"[0-9]{18}-[0-9]+-[0-9a-f]{16}\.txt")
TIMEOUT_S = 10


class S3:
    """A bucket that was made with object lock.

    Args:
        days: for how long each checkpoint is locked (COMPLIANCE mode).
        endpoint: of a store that speaks S3's protocol elsewhere; empty: Amazon's.
    """

    name = "s3"

    def __init__(self, *, bucket: str, prefix: str, days: int, endpoint: str) -> None:
        import boto3
        from botocore.config import Config

        self._bucket, self._prefix, self._days = bucket, prefix.strip("/"), days
        config = Config(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": 2})
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)

    def put(self, origin: str, size: int, note: str) -> None:
        body = note.encode()
        key = f"{self._folder(origin)}{_MOST - size:018d}-{size}-{_digest(body)}.txt"
        if self._has(key):
            return
        self._call(
            "put_object",
            Bucket=self._bucket,
            Key=key,
            Body=body,
            ContentType="text/plain; charset=utf-8",
            ChecksumAlgorithm="SHA256",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=timezone.now() + timedelta(days=self._days),
        )

    def _has(self, key: str) -> bool:
        listed = self._call("list_objects_v2", Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return bool(listed.get("KeyCount"))

    def latest(self, origin: str) -> Held | None:
        return next(filter(None, (self._read(each) for each in self._versions(self._folder(origin)))), None)

    def all(self, origin: str | None = None) -> Iterator[Held]:
        prefix = self._folder(origin) if origin else self._prefix and f"{self._prefix}/"
        names = [(each["Key"], each["VersionId"]) for each in self._versions(prefix)]
        for key, version in sorted(names, key=lambda each: (each[0].rpartition("/")[0], -_position(each[0]))):
            if held := self._read({"Key": key, "VersionId": version}):
                yield held

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """All versions, the newest checkpoint of a log first; also those that a later one or a deletion hides."""
        after: dict[str, Any] = {}
        while True:
            listed = self._call("list_object_versions", Bucket=self._bucket, Prefix=prefix, **after)
            yield from (each for each in listed.get("Versions", []) if _NAME.fullmatch(each["Key"].rpartition("/")[2]))
            if not listed.get("IsTruncated"):
                return
            after = {"KeyMarker": listed["NextKeyMarker"], "VersionIdMarker": listed["NextVersionIdMarker"]}

    def _read(self, version: dict[str, Any]) -> Held | None:
        """None where the content is not the one that the name was made for: an attempt to hide it."""
        key = version["Key"]
        body = self._call("get_object", Bucket=self._bucket, Key=key, VersionId=version["VersionId"])["Body"].read()
        folder, _, name = key.removeprefix(self._prefix).strip("/").rpartition("/")
        _, size, digest = name.removesuffix(".txt").split("-")
        return Held(self.name, folder, int(size), body.decode()) if _digest(body) == digest else None

    def _folder(self, origin: str) -> str:
        return f"{self._prefix}/{origin}/".lstrip("/")

    def _call(self, name: str, **values: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, name)(**values)
        except (BotoCoreError, ClientError) as error:
            raise SinkUnavailable(f"{self.name}: {error}") from error


def _position(key: str) -> int:
    return int(key.rpartition("/")[2].split("-")[0])


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:16]
