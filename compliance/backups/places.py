"""Where backups lie: a folder of this machine, or a bucket of S3 (`s3://bucket/prefix`).

A backup is a folder of files. Its manifest is written last, so that a folder without one is the rest of a backup that
did not come to its end. Nothing is written here but what is encrypted, and manifests.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from compliance.backups.keeping import is_label
from compliance.errors import BackupBroken, BackupFailed

MANIFEST = "manifest.json"
PIECE_BYTES = 1 << 20
PART_BYTES = 8 << 20
"""Of an upload: S3 allows 10,000 parts of at least 5 MiB each, and parts grow with their number."""
PARTS_ALIKE = 1000

Write = Callable[[bytes], None]


class Place(Protocol):
    """A place of backups. Every method raises BackupFailed where it cannot be reached, read or written."""

    def labels(self) -> list[str]:
        """The backups that there is anything of, the oldest first."""
        ...

    def writing(self, label: str, name: str) -> AbstractContextManager[Write]:
        """Takes a file in pieces; it is there, whole and on disk, only when the context ends without an error."""
        ...

    def read(self, label: str, name: str) -> Iterator[bytes]:
        """A file in pieces.

        Raises:
            BackupBroken: it is not there.
        """
        ...

    def has(self, label: str, name: str) -> bool: ...

    def remove(self, label: str) -> None:
        """Removes a backup, or what there is of it; the manifest first."""
        ...


def place_at(where: str) -> Place:
    """The place that a setting names."""
    if not where.startswith("s3://"):
        return Folder(Path(where))
    parts = urlsplit(where)
    return Bucket(parts.netloc, parts.path.strip("/"))


class Folder:
    """A folder of this machine, or of one that is mounted. Only this user may read it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def labels(self) -> list[str]:
        with _reaching(self._root):
            found = [path.name for path in self._root.iterdir()] if self._root.exists() else []
        return sorted(name for name in found if is_label(name))

    @contextlib.contextmanager
    def writing(self, label: str, name: str) -> Iterator[Write]:
        folder = self._root / label
        path, part = folder / name, folder / f"{name}.part"
        with _reaching(path):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            yield _writer(file.fileno(), path)
            with _reaching(path):
                os.fsync(file.fileno())
        with _reaching(path):
            part.replace(path)
            _sync(folder)

    def read(self, label: str, name: str) -> Iterator[bytes]:
        path = self._root / label / name
        if not path.is_file():
            raise BackupBroken(f"{name} is missing in {self._root / label}.")
        with _reaching(path), path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    def has(self, label: str, name: str) -> bool:
        with _reaching(self._root):
            return (self._root / label / name).is_file()

    def remove(self, label: str) -> None:
        folder = self._root / label
        with _reaching(folder):
            (folder / MANIFEST).unlink(missing_ok=True)
            if folder.exists():
                shutil.rmtree(folder)


def _writer(descriptor: int, path: Path) -> Write:
    def write(piece: bytes) -> None:
        with _reaching(path):
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]

    return write


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reaching(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BackupFailed(f"{path}: {reason}. Make room or access there, or name another place.") from error


class Bucket:
    """A bucket of S3, or of what speaks its protocol. Credentials, region and endpoint are boto3's own."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""

    def labels(self) -> list[str]:
        with _answering(self._bucket):
            pages = (
                _client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self._bucket, Prefix=self._prefix, Delimiter="/")
            )
            found = {
                each["Prefix"].rstrip("/").rpartition("/")[2]
                for page in pages
                for each in page.get("CommonPrefixes", ())
            }
            found |= {upload["Key"][len(self._prefix) :].partition("/")[0] for upload in self._uploads(self._prefix)}
        return sorted(name for name in found if is_label(name))

    @contextlib.contextmanager
    def writing(self, label: str, name: str) -> Iterator[Write]:
        upload = _Upload(self._bucket, self._key(label, name))
        try:
            yield upload.write
            upload.complete()
        except BaseException:
            with contextlib.suppress(BackupFailed):
                upload.abort()
            raise

    def read(self, label: str, name: str) -> Iterator[bytes]:
        from botocore.exceptions import ClientError

        with _answering(self._bucket):
            try:
                answer = _client().get_object(Bucket=self._bucket, Key=self._key(label, name))
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                    raise
                raise BackupBroken(f"{name} is missing in s3://{self._bucket}/{self._prefix}{label}.") from error
            yield from answer["Body"].iter_chunks(PIECE_BYTES)

    def has(self, label: str, name: str) -> bool:
        from botocore.exceptions import ClientError

        with _answering(self._bucket):
            try:
                _client().head_object(Bucket=self._bucket, Key=self._key(label, name))
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                    raise
                return False
        return True

    def remove(self, label: str) -> None:
        prefix = f"{self._prefix}{label}/"
        with _answering(self._bucket):
            _client().delete_object(Bucket=self._bucket, Key=self._key(label, MANIFEST))
            for page in _client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    _client().delete_object(Bucket=self._bucket, Key=each["Key"])
            for upload in self._uploads(prefix):
                _client().abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def _uploads(self, prefix: str) -> list[dict[str, Any]]:
        """What a process that died has left half uploaded: it costs money, and shows in no list of objects."""
        pages = _client().get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix)
        return [upload for page in pages for upload in page.get("Uploads", ())]

    def _key(self, label: str, name: str) -> str:
        return f"{self._prefix}{label}/{name}"


class _Upload:
    """One object: in parts where it is long, at once where it is short."""

    def __init__(self, bucket: str, key: str) -> None:
        self._where = {"Bucket": bucket, "Key": key}
        self._left = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._id = ""

    def write(self, piece: bytes) -> None:
        self._left += piece
        if len(self._left) >= PART_BYTES * (1 + len(self._parts) // PARTS_ALIKE):
            self._send()

    def complete(self) -> None:
        with _answering(self._where["Bucket"]):
            if not self._id:
                _client().put_object(**self._where, Body=bytes(self._left))
                return
        if self._left:
            self._send()
        with _answering(self._where["Bucket"]):
            _client().complete_multipart_upload(
                **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        if self._id:
            with _answering(self._where["Bucket"]):
                _client().abort_multipart_upload(**self._where, UploadId=self._id)

    def _send(self) -> None:
        with _answering(self._where["Bucket"]):
            if not self._id:
                self._id = _client().create_multipart_upload(**self._where)["UploadId"]
            number = len(self._parts) + 1
            answer = _client().upload_part(**self._where, UploadId=self._id, PartNumber=number, Body=bytes(self._left))
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._left.clear()


@contextlib.contextmanager
def _answering(bucket: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise BackupFailed(f"S3 refuses bucket {bucket}: {code}. Look at its policy and the credentials.") from error
    except BotoCoreError as error:
        raise BackupFailed(f"S3 does not answer for bucket {bucket}: {type(error).__name__}.") from error


@cache
def _client() -> Any:
    """Made once per process; boto3's clients may be shared by threads."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise BackupFailed("Backups to S3 need boto3: install the project with its extra for AWS.") from error
    return boto3.client("s3", config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 4}))
