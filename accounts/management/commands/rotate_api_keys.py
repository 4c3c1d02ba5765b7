"""Rotates API keys on a shell: what is due, or one key at once. (`rotate_keys` is about tenants' encryption keys.)"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import claims
from accounts.actions import key_tending, rotations
from accounts.errors import AccountsError
from accounts.models import ApiKey
from compliance.contracts import Actor
from compliance.errors import AlreadyRunning

ACTOR = Actor(kind="command", id="rotate_api_keys")


class Command(BaseCommand):
    help = "Does what is due for API keys: notices, rotations, ends of overlaps. With --key, rotates that one now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--key", metavar="ID", help="the 12 characters of its id, after pcl_…_; prints the link to the new secret"
        )
        parser.add_argument("--renew", action="store_true", help="with --key: a new link, if nobody used the last one")
        parser.add_argument("--reason", default="", help="with --key: for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["key"]:
                self._rotate(options["key"], options)
            else:
                counts = key_tending.tend(by=ACTOR)
                self.stdout.write(", ".join(f"{name}: {count}" for name, count in counts.items()))
        except (AccountsError, AlreadyRunning) as error:
            raise CommandError(str(error)) from error

    def _rotate(self, public_id: str, options: dict[str, Any]) -> None:
        key = ApiKey.objects.filter(public_id=public_id).first()
        if key is None:
            raise CommandError(
                f"No key has the id {public_id!r}. It stands between the second and the third _ of a key."
            )
        action = rotations.renew_link if options["renew"] else rotations.rotate
        claim = action(key=key, by=ACTOR, reason=options["reason"])
        self.stderr.write(
            f"{claim.replaces.masked} works until {claim.expires_at:%Y-%m-%d %H:%M} UTC. "
            "This link shows the new secret, once:"
        )
        self.stdout.write(claims.url_of(claim.pk))
