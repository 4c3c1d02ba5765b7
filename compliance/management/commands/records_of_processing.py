"""`manage.py records_of_processing`: what is processed about people, as it is configured now (GDPR, article 30)."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance import processing


class Command(BaseCommand):
    help = "Prints the records of processing: by default, or with a tenant's own retention."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", type=int, metavar="NUMBER", help="with this tenant's retention")
        parser.add_argument("--json", action="store_true", help="as JSON instead of Markdown")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant_id = options["tenant"]
        if options["json"]:
            self.stdout.write(json.dumps(processing.document(tenant_id), indent=2, ensure_ascii=False))
        else:
            self.stdout.write(processing.markdown(tenant_id))
