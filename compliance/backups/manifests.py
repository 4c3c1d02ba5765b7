"""What a backup says of itself: its files with their hashes, and what its databases held. Signed, and written last."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from compliance import signing
from compliance.backups.keeping import is_label
from compliance.backups.parts import Part
from compliance.backups.places import MANIFEST
from compliance.errors import BackupBroken

KIND = "backup_manifest"
VERSION = 1
MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose signature holds."""

    part: Part
    signed: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """What was signed."""
        document: dict[str, Any] = self.signed["payload"]
        return document

    @property
    def label(self) -> str:
        return str(self.document["backup"])

    @property
    def made_at(self) -> datetime:
        """When its snapshot was taken: what came later is not in it."""
        return datetime.fromisoformat(self.document["made_at"])

    @property
    def databases(self) -> dict[str, dict[str, Any]]:
        """What was found in each database, by alias."""
        found: dict[str, dict[str, Any]] = self.document["databases"]
        return found

    @property
    def root_versions(self) -> set[int]:
        """The versions of the root key without which something in it does not open."""
        return {int(version) for version in self.document["root_versions"]}

    def file(self, alias: str) -> dict[str, Any]:
        """Name, size and SHA-256 of a database's dump."""
        for each in self.document["files"]:
            if each["database"] == alias:
                return dict(each)
        raise BackupBroken(f"The manifest of {self.label} names no dump of {alias}.")


def read(part: Part, label: str, *, public: Collection[bytes]) -> Manifest:
    """The manifest of a backup, checked: signed by one of those keys, and of this very backup.

    Raises:
        BackupBroken: it is missing, was altered, or belongs to another backup.
        BackupFailed: the place does not answer.
    """
    content = bytearray()
    for piece in part.place.read(label, MANIFEST):
        content += piece
        if len(content) > MOST_BYTES:
            raise BackupBroken(f"The manifest of {label} is too long to be one.")
    return checked(part, label, bytes(content), public=public)


def checked(part: Part, label: str, content: bytes, *, public: Collection[bytes]) -> Manifest:
    """The manifest that `content` (JSON) holds.

    Raises:
        BackupBroken: it was altered, or belongs to another backup.
    """
    try:
        signed = json.loads(content)
        document = signed["payload"]
    except (ValueError, KeyError, TypeError) as error:
        raise BackupBroken(f"The manifest of {label} cannot be read.") from error
    if signed.get("kind") != KIND or not signing.verify(signed, public=public):
        raise BackupBroken(
            f"The manifest of {label} is not signed by a key that is known here: it was altered, or another "
            "installation made it. Name its verifier key with --verifier-key if you know it from elsewhere."
        )
    if document.get("backup") != label or document.get("part") != part.name or document.get("version") != VERSION:
        raise BackupBroken(f"The manifest of {label} ({part.title}) is that of another backup.")
    return Manifest(part, signed)


def labels(part: Part) -> list[str]:
    """The complete backups of a part, the oldest first."""
    place = part.place
    return [label for label in place.labels() if place.has(label, MANIFEST)]


def choose(part: Part, wanted: str) -> str:
    """The backup that is meant: `latest`, or a label or the beginning of one.

    Raises:
        BackupBroken: there is none, or several.
    """
    found = labels(part)
    matching = found[-1:] if wanted == "latest" else [label for label in found if label.startswith(wanted)]
    if len(matching) == 1 and is_label(matching[0]):
        return matching[0]
    if not found:
        raise BackupBroken(f"There is no backup of the {part.title} in {part.where}. Make one, or name its place.")
    there = ", ".join(found[-10:])
    raise BackupBroken(f"{wanted!r} names no single backup of the {part.title} in {part.where}. There are: {there}.")
