"""Runs the checks of restored databases in a process of its own, whose settings name those databases as its own."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from compliance.backups.postgres import BEAT_S, Beat, Params, url_of
from compliance.backups.restoring import Chosen
from compliance.errors import BackupFailed

VARIABLES = {"default": "DATABASE_URL", "ledger": "LEDGER_DATABASE_URL", "keys": "KEYS_DATABASE_URL"}
COMMAND = "check_restored"


def checked(
    chosen: Chosen,
    targets: Mapping[str, Params],
    *,
    public: list[bytes],
    flags: tuple[str, ...] = (),
    environment: Mapping[str, str],
    beat: Beat,
) -> Iterator[dict[str, Any]]:
    """The checks as they end (`checks.Check.plain`).

    Raises:
        BackupFailed: the process ended without having said how the checks went.
    """
    keys = [argument for each in public for argument in ("--verifier-key", each.hex())]
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), COMMAND, chosen.data.label, chosen.keys.label]
    urls = {variable: url_of(targets[alias]) for alias, variable in VARIABLES.items()}
    with tempfile.TemporaryFile() as told:
        told.write(json.dumps({"data": chosen.data.signed, "keys": chosen.keys.signed}).encode())
        told.seek(0)
        process = subprocess.Popen(  # noqa: S603
            [*command, *keys, *flags],
            env={**os.environ, **urls, **environment},
            cwd=settings.BASE_DIR,
            stdin=told,
            stdout=subprocess.PIPE,
        )
    try:
        count = 0
        for line in _lines(process, beat):
            if line.startswith(b'{"name"'):
                count += 1
                yield json.loads(line)
        if process.wait() and not count:
            raise BackupFailed("The restored databases could not be opened at all. The log has more.")
        if process.returncode:
            raise BackupFailed("A check of the restored databases broke off. The log has more.")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _lines(process: "subprocess.Popen[bytes]", beat: Beat) -> Iterator[bytes]:
    assert process.stdout is not None
    descriptor, left = process.stdout.fileno(), b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], BEAT_S)
        beat()
        if not ready:
            continue
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            break
        *lines, left = (left + piece).split(b"\n")
        yield from lines
    if left:
        yield left
