"""Everything of a tenant as one signed zip file, for the tenant that leaves: JSON Lines, one file for each store."""

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import audit, registry, signing, unreadable
from compliance.actions.jobs import Progress
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import Erasure
from compliance.registry import Class, Store
from compliance.retention import rule_of

README = """Everything that was stored of this tenant, conversations in clear. One file for each kind of record, one
JSON object a line. manifest.json names each file with its SHA-256 and is signed (Ed25519): see docs/operations.md.
"""
TELL_EACH = 500
UNFINISHED_FOR = timedelta(hours=1)

log = structlog.get_logger(__name__)


def path_of(*, erasure: Erasure, by: Actor) -> Path:
    """Where the file of a tenant's export lies."""
    return Path(settings.EXPORTS_DIR) / "tenants" / f"{erasure.pk}.zip"


def make(*, erasure: Erasure, progress: Progress, by: Actor) -> dict[str, Any]:
    """Writes the file, readable by this user only, and says what is in it. Memory does not grow with the tenant.

    Raises:
        TakenOver: another process goes on with it.
    """
    path = path_of(erasure=erasure, by=by)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in path.parent.glob(f"{erasure.pk}.*.part"):  # by who died, or is taken over: it is in clear
        left.unlink(missing_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "rb+") as file:
            told = _write(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED), erasure.tenant_id, progress)
            file.flush()
            os.fsync(file.fileno())
        progress.at(progress.run.done, step="export: written")  # who was taken over stops here
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return _told(path, told, made_on=timezone.now().date(), tenant_id=erasure.tenant_id)


def found(*, erasure: Erasure, by: Actor) -> dict[str, Any]:
    """What is in the file that was made before, as a restored database does not know it; empty where there is none."""
    path = path_of(erasure=erasure, by=by)
    if not path.exists():
        return {}
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("manifest.json"))["payload"]["files"]
    made_on = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    return _told(path, told, made_on=made_on, tenant_id=erasure.tenant_id)


def read(*, erasure: Erasure, by: Actor) -> Iterator[bytes]:
    """The file, piece by piece; that it was taken goes into the audit log first.

    Raises:
        ActionRefused: there is none, or none any more.
    """
    path = path_of(erasure=erasure, by=by)
    if not path.exists():
        raise ActionRefused("The export is not there: its time is over, or it was not made yet.")
    with transaction.atomic():
        audit.record(
            by=by,
            action="erasure.export_downloaded",
            target=audit.target_of(erasure),
            tenant_id=erasure.tenant_id,
            after={"sha256": erasure.export.get("sha256", "")},
        )
    return _pieces(path)


def delete_due(*, by: Actor) -> int:
    """Deletes the files whose time is over, and what crashes have left of unfinished ones; returns how many.

    One that cannot be deleted keeps no other.
    """
    today, deleted = timezone.now().date(), 0
    for erasure in Erasure.objects.filter(surrogate="").exclude(export={}):
        path = path_of(erasure=erasure, by=by)
        if date.fromisoformat(erasure.export["expires_on"]) <= today and _delete(path):
            _note_deleted(erasure, by=by)
            deleted += 1
    return deleted + _delete_unfinished()


@transaction.atomic
def _note_deleted(erasure: Erasure, *, by: Actor) -> None:
    audit.record(
        by=by,
        action="erasure.export_deleted",
        target=audit.target_of(erasure),
        tenant_id=erasure.tenant_id,
        after={"sha256": erasure.export.get("sha256", "")},
        reason="kept as long as the policy says",
    )


def _delete_unfinished() -> int:
    """Nobody is writing to them any more: of each, the last piece was written long ago."""
    since = (timezone.now() - UNFINISHED_FOR).timestamp()
    parts = Path(settings.EXPORTS_DIR, "tenants").glob("*.part")
    return sum(_delete(part) for part in list(parts) if _written(part) < since)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # finished, or deleted, at this moment
        return math.inf


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        log.error("export of a tenant cannot be deleted", path=str(path), error=error.strerror)
        return False
    return True


def _told(path: Path, files: list[dict[str, Any]], *, made_on: date, tenant_id: int) -> dict[str, Any]:
    return {
        "records": sum(each["records"] for each in files),
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "expires_on": (made_on + timedelta(days=rule_of(tenant_id, Class.EXPORTS).days)).isoformat(),
    }


def _write(archive: zipfile.ZipFile, tenant_id: int, progress: Progress) -> list[dict[str, Any]]:
    with archive:
        archive.writestr("README.txt", README)
        told = [_file(archive, each, tenant_id, progress) for each in registry.stores() if each.export_tenant]
        manifest = signing.sign({"tenant": tenant_id, "files": told}, kind="tenant_export")
        archive.writestr("manifest.json", json.dumps(manifest, indent=2))
    return told


def _file(archive: zipfile.ZipFile, store: Store, tenant_id: int, progress: Progress) -> dict[str, Any]:
    name, records, lacking, digest = f"{store.name}.jsonl", 0, 0, hashlib.sha256()
    assert store.export_tenant
    with archive.open(name, "w", force_zip64=True) as out:
        for record in store.export_tenant(tenant_id):
            line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
            out.write(line)
            digest.update(line)
            records += 1
            lacking += unreadable.is_so(record)
            if records % TELL_EACH == 0:
                progress.at(progress.run.done, step=f"export: {records:,} of {store.title}")
    told = {"file": name, "title": store.title, "records": records, "sha256": digest.hexdigest()}
    return {**told, "unreadable": lacking} if lacking else told


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            yield piece


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()
