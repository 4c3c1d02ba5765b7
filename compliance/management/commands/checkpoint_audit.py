"""Gives audit events their places now, signs, and hands the checkpoints out."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.actions import audit_log
from compliance.contracts import Actor
from compliance.errors import ComplianceError

ACTOR = Actor(kind="command", id="checkpoint_audit")


class Command(BaseCommand):
    help = "Signs a checkpoint of each log that has something new, as a task does each minute, and prints them."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = audit_log.checkpoint(by=ACTOR)
        except ComplianceError as error:
            raise CommandError(str(error)) from error
        for each in made:
            self.stdout.write(each.note)
        delivered = audit_log.deliver()
        self.stdout.write(f"Signed {len(made):,}, delivered {delivered:,}.")
