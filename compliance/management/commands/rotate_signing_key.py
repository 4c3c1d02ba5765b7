"""Makes the next key that signs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.actions import signing_keys
from compliance.contracts import Actor
from compliance.errors import ComplianceError

ACTOR = Actor(kind="command", id="rotate_signing_key")


class Command(BaseCommand):
    help = (
        "Makes the key that signs from now on: checkpoints of the audit log, certificates, receipts, reports and "
        "exports. What older ones have signed verifies still. Each log's next checkpoint is signed by both."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = signing_keys.make_signing_key(by=ACTOR)
        except ComplianceError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Signs from now on: {bytes(made.public).hex()}")
        self.stdout.write("Hand the verifier keys out: they are on the page “Signing keys” of the admin.")
