"""Wraps keys anew."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.actions import rotations
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.management.progress import LazyBar
from compliance.models import Subject

ACTOR = Actor(kind="command", id="rotate_keys")


class Command(BaseCommand):
    help = (
        "Makes the next version of a tenant's key and wraps its people's keys under it, or seals what is under older "
        "root keys under the current one. Content stays as it is. May be interrupted at any time and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--tenant", metavar="TENANT", help="a tenant's short name or number")
        what.add_argument("--due", action="store_true", help="the keys of tenants that are older than TENANT_KEY_DAYS")
        what.add_argument("--root", action="store_true", help="what is under older versions of the root key")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["root"]:
                self._root()
            elif options["due"]:
                self._due()
            else:
                self._tenant(options["tenant"])
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error

    def _tenant(self, named: str) -> None:
        bar = LazyBar(self.stdout, unit="keys")
        done = rotations.rotate_tenant_key(tenant_id=_number_of(named), by=ACTOR, watch=bar.show)
        self.stdout.write(f"Wrapped {done.wrapped:,} people's keys under version {done.version}.")

    def _due(self) -> None:
        tenants = rotations.rotate_due(days=settings.TENANT_KEY_DAYS, by=ACTOR)
        self.stdout.write(f"Rotated the keys of {len(tenants):,} tenants.")

    def _root(self) -> None:
        bar = LazyBar(self.stdout, unit="values")
        done = rotations.rewrap_root(by=ACTOR, watch=bar.show)
        self.stdout.write(f"Sealed {done.wrapped:,} values under root key {done.version}.")


def _number_of(tenant: str) -> int:
    """The number of the tenant that is named so. Compliance knows tenants by its own references to them only."""
    tenants = Subject._meta.get_field("tenant").related_model._default_manager
    found = tenants.filter(slug=tenant).first() or (tenants.filter(pk=tenant).first() if tenant.isdecimal() else None)
    if found is None:
        raise CommandError(f"There is no tenant {tenant}.")
    return int(found.pk)
