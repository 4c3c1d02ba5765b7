"""Issues an API key on a shell. Only the secret goes to standard output, so that it can be piped where it belongs."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError
from django.utils import timezone

from accounts.actions import keys
from accounts.errors import AccountsError
from accounts.models import ApiKey, Application
from accounts.models.keys import DEFAULT_SCOPES, SCOPES
from accounts.tokens import ENVIRONMENTS
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="issue_key")


class Command(BaseCommand):
    help = "Issues an API key and prints its secret, which cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--application", required=True, metavar="TENANT/APPLICATION", help="by their short names")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument("--environment", required=True, choices=ENVIRONMENTS)
        parser.add_argument(
            "--scope", action="append", choices=sorted(SCOPES), help="may be repeated; default: chat and models"
        )
        parser.add_argument("--model", action="append", default=[], help="may be repeated; default: every model")
        parser.add_argument("--network", action="append", default=[], help="as 10.0.0.0/8; may be repeated")
        parser.add_argument("--expires-in-days", type=int, metavar="DAYS")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key, secret = _issue(options)
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error
        except AccountsError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write(f"Issued {key.masked} for {key.application}. This is its secret; keep it now:")
        self.stdout.write(secret)


def _issue(options: dict[str, Any]) -> tuple[ApiKey, str]:
    days = options["expires_in_days"]
    return keys.issue(
        application=_application(options["application"]),
        name=options["name"],
        environment=options["environment"],
        scopes=options["scope"] or DEFAULT_SCOPES,
        allowed_models=options["model"],
        allowed_networks=options["network"],
        expires_at=None if days is None else timezone.now() + timedelta(days=days),
        by=ACTOR,
    )


def _application(path: str) -> Application:
    tenant, _, slug = path.partition("/")
    try:
        return Application.objects.get(tenant__slug=tenant, slug=slug)
    except Application.DoesNotExist as error:
        known = ", ".join(str(row) for row in Application.objects.select_related("tenant")[:20]) or "none yet"
        raise CommandError(f"There is no application {path!r}. Known: {known}.") from error
