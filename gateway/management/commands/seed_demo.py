"""Adds the demo to an installation without tenants."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError

from gateway.demo import credentials, seed


class Command(BaseCommand):
    help = "Adds tiers, two tenants, the sandbox upstream and two weeks of usage; nothing where tenants exist."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sandbox-port", type=int, default=seed.SANDBOX_PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = seed.is_wanted()
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error
        if not wanted:
            self.stdout.write("There are tenants already: nothing added.")
            return
        for remark in seed.run(sandbox_port=options["sandbox_port"]):
            self.stdout.write(remark)
        self.stdout.write(f"Added the demo; its key and password are in {credentials.PATH}.")
