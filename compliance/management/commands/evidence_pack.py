"""Makes an evidence pack for a period."""

from datetime import date
from pathlib import Path
from shutil import copyfile
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.actions import packs
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.models import EvidencePack
from compliance.packs import files

ACTOR = Actor(kind="command", id="evidence_pack")


class Command(BaseCommand):
    help = "Makes a signed file with the evidence for a period, which verifies offline with the program inside."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--framework", choices=EvidencePack.Framework.values, default=EvidencePack.Framework.ALL)
        parser.add_argument("--out", type=Path, metavar="FILE", help="also copied there")

    def handle(self, *args: Any, **options: Any) -> None:
        pack = EvidencePack(
            first_day=options["first"], last_day=options["last"], framework=EvidencePack.Framework(options["framework"])
        )
        try:
            packs.request(pack=pack, by=ACTOR)
            packs.make(pack=pack, by=ACTOR)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (ActionRefused, ComplianceError, OSError) as error:
            raise CommandError(str(error)) from error
        path = files.path_of(pack.public_id)
        if options["out"]:
            copyfile(path, options["out"])
            options["out"].chmod(0o600)
        self.stdout.write(f"{options['out'] or path}: {pack.records:,} records, {pack.file_bytes:,} bytes")
        self.stdout.write(f"SHA-256 {pack.sha256}")
