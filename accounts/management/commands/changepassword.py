"""Takes the place of Django's own: sets the password through the action, so that the audit log knows."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import users
from accounts.management.commands.createsuperuser import asked_password
from accounts.models import User
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="changepassword")


class Command(BaseCommand):
    help = "Gives a person another password, which ends their other sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is nobody called {options['username']}.")
        users.set_password(user=user, password=asked_password(user), by=ACTOR)
        self.stdout.write("The password was changed.")
