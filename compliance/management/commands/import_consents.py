"""Imports consents from a CSV file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from compliance.actions import consent_imports
from compliance.consent_import import COLUMNS
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.management.progress import LazyBar
from compliance.selectors import tenant_id_of


class Command(BaseCommand):
    help = f"Imports consents from CSV in UTF-8, whose first line names columns: {', '.join(COLUMNS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="short name of the tenant")
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument(
            "--partly", action="store_true", help="record the good lines although others are refused; default: none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant_id = tenant_id_of(slug=options["tenant"])
        if tenant_id is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        done = self._run(tenant_id, _text(options["file"]), partly=options["partly"])
        for refusal in done.refused:
            self.stderr.write(f"line {refusal.number}: {refusal.reason}")
        if done.refused and not done.recorded and not options["partly"]:
            raise CommandError(
                f"{len(done.refused):,} lines were refused, so nothing was recorded. Correct them, or add --partly."
            )
        self.stdout.write(f"{done.recorded:,} decisions were recorded, {len(done.refused):,} lines refused.")

    def _run(self, tenant_id: int, text: str, *, partly: bool) -> consent_imports.Imported:
        bar = LazyBar(self.stdout, unit="lines")
        by = Actor(kind="command", id="import_consents")
        try:
            return consent_imports.run(tenant_id=tenant_id, text=text, partly=partly, by=by, told=bar.show)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ActionRefused as error:
            raise CommandError(str(error)) from error


def _text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is not UTF-8.") from error
