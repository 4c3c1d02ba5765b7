"""`manage.py invalidate_consents`: nothing is stored for anybody until they are asked anew."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from compliance.actions import consent_invalidations
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.management.progress import LazyBar
from compliance.selectors import tenant_id_of

BY = Actor(kind="command", id="invalidate_consents")


class Command(BaseCommand):
    help = (
        "Ends every consent that allows something, until people are asked anew: where nobody can tell any more who has "
        "withdrawn, as after a restore. What was stored with them is erased, as after a withdrawal, unless with "
        "--keep-content. May be cut off and repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--tenant", default="", help="short name of the tenant")
        whose.add_argument("--all", action="store_true", help="of all tenants")
        parser.add_argument("--reason", required=True, help="why; it stays in the audit log")
        parser.add_argument(
            "--keep-content", action="store_true", help="what was stored stays until it is due; default: it is erased"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ended = consent_invalidations.invalidate(
                tenant_id=None if options["all"] else self._tenant_id(options["tenant"]),
                reason=options["reason"],
                keep_content=options["keep_content"],
                by=BY,
                told=LazyBar(self.stderr, unit="consents").show,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ActionRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{ended:,} consents were ended. Nothing is stored with them until people are asked anew.")

    def _tenant_id(self, slug: str) -> int:
        tenant_id = tenant_id_of(slug=slug)
        if tenant_id is None:
            raise CommandError(f"There is no tenant {slug}.")
        return tenant_id
