"""Takes the place of Django's own: adds the person through the action, so that the audit log knows."""

import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import users
from accounts.models import User
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="createsuperuser")


class Command(BaseCommand):
    help = "Adds a person who may do everything in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="ask nothing: takes DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD from the environment",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        environ = os.environ if not options["interactive"] else {}
        username = options["username"] or environ.get("DJANGO_SUPERUSER_USERNAME") or self._asked(options)
        email = options["email"] or environ.get("DJANGO_SUPERUSER_EMAIL", "")
        user = User(username=username, email=User.objects.normalize_email(email), is_staff=True, is_superuser=True)
        password = environ.get("DJANGO_SUPERUSER_PASSWORD") or _password_of(user, interactive=options["interactive"])
        try:
            users.add(user=user, password=password, by=ACTOR)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"{username} may do everything in the admin now.")

    def _asked(self, options: dict[str, Any]) -> str:
        if not options["interactive"]:
            raise CommandError("Say who: give --username, or set DJANGO_SUPERUSER_USERNAME.")
        return input("Username: ").strip()


def _password_of(user: User, *, interactive: bool) -> str:
    if not interactive:
        raise CommandError("Set DJANGO_SUPERUSER_PASSWORD, or leave out --noinput to be asked.")
    return asked_password(user)


def asked_password(user: User) -> str:
    """A password, typed twice.

    Raises:
        CommandError: the two differ, or it is too easy to guess.
    """
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password (again): "):
        raise CommandError("The two passwords differ. Nothing was changed.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
