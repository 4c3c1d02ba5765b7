"""Recomputes every meter from usage records, and says what differs."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Tenant
from billing import verification
from billing.verification import Difference

BAR = 30
COLUMNS = ("tenant", "meter", "period since (UTC)", "what", "recorded", "recomputed", "difference")


class Command(BaseCommand):
    help = (
        "Recomputes every meter of the ledger from usage records, holds, openings and adjustments. Exits with 0 when "
        "all agree, 1 when any differs, 2 when it could not be read. Amounts are nano-dollars, or requests at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only the meters of this tenant")
        parser.add_argument("--json", action="store_true", help="differences as JSON, on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = _tenant(options["tenant"]) if options["tenant"] else None
        tenant_id = tenant.pk if tenant else None
        progress = self.progress if sys.stderr.isatty() else None
        try:
            count = verification.meters(tenant_id=tenant_id)
            found = verification.differences(tenant_id=tenant_id, progress=progress)
        except verification.Unreadable as error:
            raise CommandError(f"Not verified: {error}", returncode=2) from error
        rows = _rows(found)
        self.stdout.write(json.dumps(_summary(count, rows), indent=2) if options["json"] else _text(count, rows))
        if found:
            sys.exit(1)

    def progress(self, done: int, of: int) -> None:
        filled = BAR * done // of
        self.stderr.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] day {done} of {of}", ending="")
        if done == of:
            self.stderr.write("")


def _tenant(slug: str) -> Tenant:
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist as error:
        raise CommandError(f"There is no tenant {slug!r}.", returncode=2) from error


def _rows(found: list[Difference]) -> list[dict[str, Any]]:
    slugs = dict(Tenant.objects.filter(pk__in={each.tenant_id for each in found}).values_list("pk", "slug"))
    return [
        {
            "tenant": slugs.get(each.tenant_id, f"tenant {each.tenant_id}"),
            "meter": each.meter,
            "period_start": each.period_start.isoformat(),
            "quantity": each.quantity,
            "recorded": each.recorded,
            "recomputed": each.recomputed,
            "difference": each.difference,
        }
        for each in found
    ]


def _summary(count: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"meters": count, "differences": rows}


def _text(count: int, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"All {count:,} meters agree with what is on record."
    cells = [COLUMNS, *(tuple(_cell(value) for value in row.values()) for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(COLUMNS))]
    lines = [
        "  ".join(_aligned(cell, width, n) for n, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    return "\n".join([*lines, f"{len(rows):,} differences in {count:,} meters."])


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _aligned(cell: str, width: int, column: int) -> str:
    """Numbers, the last three columns, to the right."""
    return cell.rjust(width) if column >= len(COLUMNS) - 3 else cell.ljust(width)
