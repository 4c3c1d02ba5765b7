"""Writes the monthly statement of a tenant."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Tenant
from billing import money, statements
from billing.actions import downloads
from billing.exports import statement_pdf
from compliance.contracts import Actor

ACTOR = Actor(kind="command", id="statement")


class Command(BaseCommand):
    help = "Writes a tenant's statement of a month as PDF."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", required=True)
        parser.add_argument("--month", metavar="YYYY-MM", required=True)
        parser.add_argument("--pdf", metavar="FILE", required=True, type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = Tenant.objects.get(slug=options["tenant"])
            statement = statements.statement(tenant, statements.month_of(options["month"]))
            downloads.statement(
                number=statement.number, fingerprint=statement.fingerprint, tenant_id=tenant.pk, form="pdf", by=ACTOR
            )
            options["pdf"].write_bytes(statement_pdf.pdf(statement))
        except Tenant.DoesNotExist as error:
            raise CommandError(f"There is no tenant {options['tenant']!r}.") from error
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        state = "final" if statement.is_final else "provisional"
        self.stdout.write(
            f"Statement {statement.number} ({state}): {money.in_full(statement.total_nano)}, "
            f"figures {statement.fingerprint}."
        )
