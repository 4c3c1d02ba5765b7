"""Brings backups back: the data first, then the keys, each file decrypted and checked on its way into pg_restore."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from compliance.backups import databases, manifests, postgres, streams
from compliance.backups.manifests import Manifest
from compliance.backups.parts import DATA, KEYS, bound_to
from compliance.backups.postgres import Params
from compliance.errors import BackupBroken, BackupKeyMissing
from compliance.keyring.roots import root_keys

Tell = Callable[[int, int, str], None]
"""Takes how many bytes are through, of how many, and what is under way; called each second at least."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backup of the data and one of the keys, which need not be of the same day."""

    data: Manifest
    keys: Manifest

    @property
    def bytes(self) -> int:
        return sum(int(file["bytes"]) for each in (self.data, self.keys) for file in each.document["files"])

    def remarks(self) -> Iterator[str]:
        """What it means where the two are of different ages."""
        if self.keys.made_at < self.data.made_at and self.keys.label != self.data.label:
            yield (
                f"The keys are older than the data ({_day(self.keys)}, and {_day(self.data)}): what was stored in "
                "between of people who were new, or of a tenant whose key was new, cannot be opened."
            )
        elif self.keys.label != self.data.label:
            yield (
                f"The keys are newer than the data ({_day(self.keys)}, and {_day(self.data)}). That works: they open "
                "what older ones did, but for people erased in between."
            )


def choose(data: str, keys: str, *, public: list[bytes]) -> Chosen:
    """The backups that are meant (`latest`, or a label), their manifests checked, and whether they can work here.

    Raises:
        BackupBroken: one is missing, was altered, or needs a key that is not at hand.
        BackupFailed: a place does not answer.
    """
    chosen = Chosen(
        *(
            manifests.read(part, manifests.choose(part, wanted), public=public)
            for part, wanted in ((DATA, data), (KEYS, keys))
        )
    )
    require_keys(chosen)
    return chosen


def require_keys(chosen: Chosen) -> None:
    """Refuses what nothing here could open, before anything is restored.

    Raises:
        BackupKeyMissing: in words, which version of which key is missing.
    """
    for manifest in (chosen.data, chosen.keys):
        version = int(manifest.document["key_version"])
        if version not in manifest.part.keys:
            raise BackupKeyMissing(
                f"The backup of the {manifest.part.title} ({manifest.label}) is encrypted under version {version} of "
                f"{manifest.part.keys_setting}, which is not set here."
            )
        missing = manifest.root_versions - set(root_keys().versions)
        if missing:
            there = ", ".join(str(each) for each in sorted(root_keys().versions))
            named = ", ".join(str(each) for each in sorted(missing))
            raise BackupKeyMissing(
                f"Wrong key epoch: the {manifest.part.title} of {manifest.label} need version {named} of the root key, "
                f"and here are: {there}. Set ROOT_KEYS (or KMS_KEYS) as they were then, or take a newer backup."
            )


def restore(chosen: Chosen, targets: Mapping[str, Params], *, tell: Tell) -> None:
    """Fills the databases, which are made or emptied first. They keep the mark of an unfinished restore.

    Raises:
        BackupBroken: a file is missing or was altered; a database is left half filled.
        BackupFailed: a database is not empty, or a program or a server fails.
    """
    for alias in targets:
        databases.make_ready(targets[alias])
    counted = _Counted(chosen.bytes, tell)
    for manifest in (chosen.data, chosen.keys):
        for alias in manifest.part.databases:
            counted.step = f"restoring {alias}"
            _restore(manifest, alias, targets[alias], counted)


class _Counted:
    """How far it is."""

    def __init__(self, total: int, tell: Tell) -> None:
        self.done, self.total, self.step, self._tell = 0, total, "", tell

    def beat(self) -> None:
        self._tell(self.done, self.total, self.step)


def _restore(manifest: Manifest, alias: str, target: Params, counted: _Counted) -> None:
    part, label, file = manifest.part, manifest.label, manifest.file(alias)
    digest, start = hashlib.sha256(), counted.done

    def as_it_lies() -> Iterator[bytes]:
        for piece in part.place.read(label, file["name"]):
            digest.update(piece)
            counted.done += len(piece)
            yield piece

    try:
        plain = streams.opened(as_it_lies(), keys=part.keys, place=bound_to(part, label, alias))
        postgres.load(target, plain, beat=counted.beat)
    except BackupBroken as error:
        raise type(error)(f"{file['name']} of {label} ({part.title}): {error}") from error
    if counted.done - start != file["bytes"] or digest.hexdigest() != file["sha256"]:
        raise BackupBroken(f"{file['name']} of {label} ({part.title}) is not the file that its manifest names.")
    databases.apply_settings(target, manifest.databases[alias].get("settings", []))


def _day(manifest: Manifest) -> str:
    return f"{manifest.made_at:%Y-%m-%d %H:%M} UTC"
