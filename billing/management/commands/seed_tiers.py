"""Adds the tiers that an installation can start with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from billing.actions import tiers
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="seed_tiers")


class Command(BaseCommand):
    help = "Adds the tiers free, premium and enterprise; those that are there stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            added = tiers.seed(by=ACTOR)
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error
        for tier in added:
            self.stdout.write(f"Added the tier {tier.slug}.")
        if not added:
            self.stdout.write("All of them are there already: nothing added.")
