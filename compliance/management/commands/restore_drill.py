"""`manage.py restore_drill`: a drill now, as the schedule makes them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.actions import drills
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.models import RestoreDrill


class Command(BaseCommand):
    help = "Restores the newest backup into scratch databases, checks what came out, and drops them."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = drills.drill(by=Actor(kind="command", id="restore_drill"))
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error
        for check in row.checks:
            self.stdout.write(f"{'ok  ' if check['ok'] else 'FAIL'} {check['title']}: {check['detail']}")
        if row.state != RestoreDrill.State.PASSED:
            raise CommandError(f"The drill failed: {row.problem}")
        self.stdout.write(f"Passed. RTO {row.rto_s:,} s, RPO {row.rpo_s:,} s.")
