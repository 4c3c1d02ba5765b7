"""Adds the usual groups of people in the admin."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from accounts.actions import groups
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="seed_groups")


class Command(BaseCommand):
    help = "Adds the groups Compliance officers, Legal and Operators; those that are there stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            added = groups.seed(by=ACTOR)
        except (ProgrammingError, LookupError) as error:
            raise CommandError("The database is not up to date; run `manage.py migrate` first.") from error
        names = ", ".join(group.name for group in added)
        self.stdout.write(f"Added {names}." if added else "Nothing to add: the groups are there.")
