"""`manage.py check_restored`: the inner half of `restore` and `restore_drill`, on the databases that settings name."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.backups import checks, manifests
from compliance.backups.parts import DATA, KEYS
from compliance.backups.restoring import Chosen
from compliance.errors import ComplianceError


class Command(BaseCommand):
    help = (
        "Compares restored databases with the manifests of their backups, and replays the ledger of erasures on them. "
        "manage.py restore and restore_drill call it, with the manifests on standard input; each line of the output is "
        "one check, as JSON."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("data", help="the label of the backup of the data")
        parser.add_argument("keys", help="the label of the backup of the keys")
        parser.add_argument("--verifier-key", action="append", default=[], metavar="HEX")
        parser.add_argument("--drill", action="store_true", help="also what only a drill can try")
        parser.add_argument("--none-yet", action="store_true", help="nobody was ever erased: there is no ledger yet")

    def handle(self, *args: Any, data: str, keys: str, verifier_key: list[str], **options: Any) -> None:
        try:
            chosen = _told(data, keys, public=[bytes.fromhex(key) for key in verifier_key])
        except (ComplianceError, ValueError) as error:
            raise CommandError(str(error)) from error
        for check in checks.run(chosen, is_drill=options["drill"], none_yet=options["none_yet"]):
            self.stdout.write(json.dumps(check.plain()))
            self.stdout.flush()


def _told(data: str, keys: str, *, public: list[bytes]) -> Chosen:
    """The manifests from standard input, checked."""
    told = json.load(sys.stdin)
    return Chosen(
        manifests.checked(DATA, data, json.dumps(told["data"]).encode(), public=public),
        manifests.checked(KEYS, keys, json.dumps(told["keys"]).encode(), public=public),
    )
