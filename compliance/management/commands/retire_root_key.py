"""Counts what a version of the root key is still needed for. Who is signed in asks in the admin that it is retired."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.actions import rotations
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.keyring import usage

AGAIN = Actor(kind="command", id="retire_root_key")


class Command(BaseCommand):
    help = (
        "Counts what a version of the root key is still needed for: before somebody asks in the admin, on the page "
        "Keys, that it is retired; and, once it is, right before the key is thrown away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        version = options["version"]
        try:
            if usage.is_root_retired(version):
                self._count_again(version)
            else:
                self._count(version)
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error

    def _count(self, version: int) -> None:
        usage.require_unused_root(version)
        raise CommandError(
            f"Nothing needs root key {version} any more, but it is not retired. Ask for that in the admin, on the page "
            "Keys; another person has to approve it."
        )

    def _count_again(self, version: int) -> None:
        rotations.retire_root_key(version=version, by=AGAIN)
        self.stdout.write(
            f"Nothing needs root key {version} any more, and it is retired. Once the backups that need it are gone, "
            "remove it from ROOT_KEYS, or have your KMS delete it: whatever it opens elsewhere is then lost for good."
        )
