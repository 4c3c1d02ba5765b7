"""Makes bundles of made-up logs without a database: the trees are computed here from RFC 6962's definitions."""

import base64
import io
import json
import secrets
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compliance import signing
from compliance.bundles import verify, write
from compliance.bundles.source import Sealed, Window
from compliance.evidence import leaves

ORIGIN = "portcullis/test/tenant/7"
KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\2" * 32)
BEGAN = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def public_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def verifier_key(key: Ed25519PrivateKey, origin: str = ORIGIN) -> str:
    """As C2SP's signed notes have it."""
    named = verify.key_id(origin, public_of(key)).hex()
    encoded = base64.b64encode(b"\1" + public_of(key)).decode()
    return f"{origin}+{named}+{encoded}"


def root_of(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


def path_of(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(hashes) < 2:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*path_of(index, hashes[:split]), root_of(hashes[split:])]
    return [*path_of(index - split, hashes[split:]), root_of(hashes[:split])]


def grown(old: int, hashes: Sequence[bytes], *, is_whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if old == len(hashes):
        return [] if is_whole else [root_of(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if old <= split:
        return [*grown(old, hashes[:split], is_whole=is_whole), root_of(hashes[split:])]
    return [*grown(old - split, hashes[split:], is_whole=False), root_of(hashes[:split])]


def note(hashes: Sequence[bytes], *, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    """A signed checkpoint."""
    return note_over(len(hashes), root_of(hashes), key=key, origin=origin)


def note_over(size: int, root: bytes, *, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    """A signed checkpoint with that root."""
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = verify.key_id(origin, public_of(key)) + key.sign(body.encode())
    return f"{body}\n\u2014 {origin} {base64.b64encode(signature).decode()}\n"


def an_event(index: int, **columns: Any) -> Sealed:
    """An event at a place, sealed."""
    row = {
        **dict.fromkeys(leaves.TEXTS, ""),
        "id": 100 + index,
        "occurred_at": BEGAN + timedelta(seconds=index),
        "version": 2,
        "tenant_id": 7,
        "actor_kind": "user",
        "actor_id": "3",
        "action": ("budget.changed", "apikey.revoked", "user.signed_in")[index % 3],
        "target_kind": ("budget", "apikey", "user")[index % 3],
        "target_id": str(index),
        "outcome": "success",
        "before": {"limit": index} if index % 3 == 0 else {},
        "after": {"limit": index + 1, "name": '=cmd|"x"\\'} if index % 3 == 0 else {},
        **columns,
    }
    fields = leaves.fields_of(row)
    salts = b"" if row["version"] == 1 else secrets.token_bytes(16 * len(fields))
    leaf = leaves.leaf_hash(leaves.commitments(fields, salts, {}))
    return Sealed(index, leaf.hex(), fields, salts.hex(), {}, [])


def redacted(event: Sealed, *names: str) -> Sealed:
    """The same event without the values and salts of some fields."""
    digests = leaves.commitments(event.fields, bytes.fromhex(event.salts), {})
    kept = [name for name in leaves.ordered(event.fields) if name not in names]
    places = {name: place for place, name in enumerate(leaves.ordered(event.fields))}
    salts = "".join(event.salts[32 * places[name] : 32 * places[name] + 32] for name in kept)
    fields = {name: event.fields[name] for name in kept}
    return Sealed(event.index, event.leaf, fields, salts, {name: digests[name] for name in names}, [])


@dataclass
class Log:
    """A log, and what was removed of it."""

    events: list[Sealed]
    pruned_to: int = 0
    hashes: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.hashes = [bytes.fromhex(event.leaf) for event in self.events]


def a_log(size: int = 21, *, pruned_to: int = 0) -> Log:
    return Log([an_event(index) for index in range(size)], pruned_to)


def _sign(document: dict[str, Any], *, key: Ed25519PrivateKey) -> dict[str, Any]:
    rest = {
        "payload": document,
        "kind": write.KIND,
        "signed_at": BEGAN.isoformat(),
        "key": public_of(key).hex(),
    }
    return {**rest, "signature": base64.b64encode(key.sign(signing.canonical(rest))).decode()}


def windows_of(log: Log, chosen: Callable[[Sealed], bool], *, is_whole: bool) -> Iterable[Window]:
    for first in range(0, len(log.events), 8):
        window = Window(first, min(first + 8, len(log.events)))
        for event in log.events[window.first : window.until]:
            if event.index < log.pruned_to:
                if is_whole:
                    window.pruned.append((event.index, event.leaf))
            elif chosen(event):
                window.events.append(event)
        yield window


def bundle(
    path: Path,
    log: Log,
    *,
    filters: dict[str, str] | None = None,
    chosen: Callable[[Sealed], bool] = lambda event: True,
    earlier: Sequence[int] = (),
    key: Ed25519PrivateKey = KEY,
    checkpoint: str = "",
) -> Path:
    """Writes a bundle as the project does; returns its path."""
    size = len(log.hashes)
    about = write.About(
        export="e1",
        origin=ORIGIN,
        tenant_id=7,
        size=size,
        root=root_of(log.hashes).hex(),
        checkpoint=checkpoint or note(log.hashes, key=key),
        filters=filters or {},
        asked_by="user 3",
        made_at=BEGAN,
    )
    proofs = write.Proofs(
        inclusion=lambda index: path_of(index, log.hashes),
        consistency=lambda: [(old, root_of(log.hashes[:old]), grown(old, log.hashes)) for old in earlier],
    )
    with path.open("xb+") as out:
        write.write(
            out,
            path.with_suffix(".spool"),
            about=about,
            windows=windows_of(log, chosen, is_whole=not filters),
            proofs=proofs,
            sign=partial(_sign, key=key),
            tell=lambda percent, step: None,
        )
    return path


def checked(path: Path, *, keys: Sequence[bytes] | None = None, earlier: Sequence[Path] = ()) -> verify.Report:
    """What the verifier says."""
    trusted = [public_of(KEY)] if keys is None else list(keys)
    return verify.verify(path, trusted, list(earlier), lambda done, total: None)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def rezipped(files: dict[str, bytes], path: Path) -> Path:
    """A zip file of these files, with the right hash at its end: as somebody would make it who knows how."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = b"0" * 64
    whole = out.getvalue()[:-64]
    path.write_bytes(whole + sha256(whole).hexdigest().encode())
    return path


def lines(files: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[name].splitlines()]


def joined(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(write.dumps(row) + b"\n" for row in rows)


def resigned(files: dict[str, bytes], *, key: Ed25519PrivateKey = KEY, **payload: Any) -> dict[str, bytes]:
    """The manifest made anew for altered files: what somebody could do who has the signing key."""
    old = json.loads(files["manifest.json"])["payload"]
    listed = [
        {"name": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in files.items()
        if name != "manifest.json"
    ]
    signed = _sign({**old, **payload, "files": listed}, key=key)
    return {**files, "manifest.json": write._form(signed)}


PYTHON = sys.executable
