"""Adds the platform-wide alert rules that an installation can start with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from billing.actions import alert_rules
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="seed_alert_rules")


class Command(BaseCommand):
    help = "Adds an alert rule for all tenants of each usual kind; a kind that has one stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            added = alert_rules.seed(by=ACTOR)
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error
        for rule in added:
            self.stdout.write(f"Added the rule “{rule.name}”.")
        if not added:
            self.stdout.write("All of them are there already: nothing added.")
