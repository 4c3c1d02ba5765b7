"""`manage.py verify_certificate FILE`: whether a certificate of erasure is genuine. With --key it needs no database."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import signing
from compliance.evidence import inclusion


class Command(BaseCommand):
    help = "Verifies the signature of a certificate of erasure, or of anything else that this installation signed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--key", action="append", metavar="HEX", help="public key to trust, instead of our own")

    def handle(self, *args: Any, **options: Any) -> None:
        documents = list(_signed_in(self._read(options["file"])))
        if not documents:
            raise CommandError(f"{options['file']} is not a certificate, nor an answer of the API that holds one.")
        trusted = self._keys(options["key"])
        for signed in documents:
            if not signing.verify(signed, public=trusted):
                raise CommandError("NOT VALID: it was changed, or signed by a key that is not trusted.")
            self._tell(signed, trusted)

    def _tell(self, signed: dict[str, Any], trusted: list[bytes]) -> None:
        self.stdout.write(f"Valid: {signed['kind']}, signed {signed['signed_at']} with key {signed['key']}.")
        told = signed["payload"]
        if signed["kind"] == "erasure_certificate":
            self.stdout.write(f"Subject {told['subject'] or 'whole tenant'}, tenant {told['tenant']}.")
            count = len(told["keys_destroyed"])
            self.stdout.write(f"{count} key{'' if count == 1 else 's'} destroyed at {told['keys_destroyed_at']}.")
            self.stdout.write(f"Out of every backup by {told['irrecoverable_in_backups_by']}.")
            self._tell_place(told, trusted)

    def _tell_place(self, told: dict[str, Any], trusted: list[bytes]) -> None:
        if not told.get("audit"):
            self.stdout.write("It does not prove its place in the audit log.")
            return
        try:
            checkpoint = inclusion.verify(told["audit"], publics=trusted)
        except inclusion.InvalidInclusion as error:
            raise CommandError(f"NOT VALID: its place in the audit log is not proven: {error}.") from error
        index = told["audit"]["index"]
        self.stdout.write(
            f"In the audit log {checkpoint.origin} at index {index:,}, of {checkpoint.size:,} events then."
        )

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be read as JSON: {error}") from error

    def _keys(self, given: list[str] | None) -> list[bytes]:
        try:
            return [bytes.fromhex(key) for key in given] if given else signing.public_keys()
        except ValueError as error:
            raise CommandError("--key takes the public key in hex, 64 characters.") from error


def _signed_in(value: Any) -> Iterator[dict[str, Any]]:
    """What is signed in a file: all of it, or parts of it, as in an answer of the API that was saved."""
    match value:
        case {"payload": dict(), "kind": str(), "key": str(), "signed_at": str(), "signature": str()}:
            yield value
        case dict():
            for each in value.values():
                yield from _signed_in(each)
        case list():
            for each in value:
                yield from _signed_in(each)
