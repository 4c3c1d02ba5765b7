"""Draws the states of subject requests from their table, for `docs/subject-requests.md`."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from compliance.request_states import diagram

PAGE = "docs/subject-requests.md"
BLOCK = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)


class Command(BaseCommand):
    help = "Draws the states of subject requests as a Mermaid diagram."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"put it into {PAGE} instead of showing it")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        if not write:
            self.stdout.write(diagram())
            return
        page = Path(settings.BASE_DIR) / PAGE
        page.write_text(BLOCK.sub(diagram() + "\n", page.read_text(encoding="utf-8"), count=1), encoding="utf-8")
        self.stdout.write(f"{PAGE} shows the states as they are.")
