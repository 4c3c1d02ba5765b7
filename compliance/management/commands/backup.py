"""`manage.py backup`: one now, as the schedule makes them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance import signing
from compliance.actions import backups
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError


class Command(BaseCommand):
    help = "Makes an encrypted backup of the data and one of the keys, and removes those that are not kept any more."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = backups.back_up(by=Actor(kind="command", id="backup"))
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error
        for run in made:
            self.stdout.write(f"{run.get_part_display()}: {run.bytes:,} bytes in {run.place}, named {run.label}.")
        keys = " ".join(key.hex() for key in signing.public_keys())
        self.stdout.write(f"The manifests verify by: {keys}")
