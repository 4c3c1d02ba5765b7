"""Ends a key that was found where it does not belong: `report_leak < key.txt`, or typed in without showing."""

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.contracts import Actor
from compliance.errors import ActionRefused
from gateway.actions import leaks
from gateway.models import Leak


class Command(BaseCommand):
    help = "Reads a leaked API key from standard input, ends it, and tells those whom it concerns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--where", default="", help="Where it was found, in a few words, for the record.")

    def handle(self, *args: Any, where: str = "", **options: Any) -> None:
        text = getpass("Key: ") if sys.stdin.isatty() else sys.stdin.read(1000)
        by = Actor(kind="command", id="report_leak")
        try:
            leak = leaks.report_text(text=text, source=Leak.Source.COMMAND, place=where, by=by)
        except ActionRefused as error:
            raise CommandError(str(error)) from error
        if not leak.outcome:
            raise CommandError(f"{leak.key.masked} could not be ended, and still works. Suspend or revoke it by hand.")
        self.stdout.write(f"{leak.key.masked}: {leak.get_outcome_display().lower()}.")
