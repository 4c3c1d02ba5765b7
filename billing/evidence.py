"""What this app gives to evidence packs: what people were warned of."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Alert, AlertKind
from billing.models.alerts import OF_PLATFORM
from compliance.packs import sections
from compliance.packs.sections import Period, Section

INCIDENTS = (AlertKind.KEY_LEAKED, *OF_PLATFORM)
"""What should not have happened. Alerts about money are no incidents; nor is a key that is rotated as planned."""
TOLD_WITHIN = timedelta(minutes=1)


def _once(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Without the platform's alert of what its tenant was told of, too."""
    same = Alert.objects.filter(
        kind=OuterRef("kind"),
        subject=OuterRef("subject"),
        tenant__isnull=False,
        created_at__gte=OuterRef("created_at") - TOLD_WITHIN,
        created_at__lte=OuterRef("created_at") + TOLD_WITHIN,
    )
    return rows.exclude(Exists(same), tenant__isnull=True)


def _incidents(period: Period) -> Iterator[dict[str, Any]]:
    rows = Alert.objects.filter(kind__in=INCIDENTS, created_at__gte=period.since, created_at__lt=period.until)
    for alert in _once(rows).order_by("pk").select_related("tenant").iterator(chunk_size=1000):
        yield {
            "alert": alert.pk,
            "at": alert.created_at.isoformat(),
            "kind": alert.get_kind_display(),
            "tenant": alert.tenant.slug if alert.tenant else None,
            "about": alert.label,
            "facts": alert.facts,
            "over_at": alert.cleared_at.isoformat() if alert.cleared_at else None,
        }


def register() -> None:
    """Adds the section; called once, when the apps are ready."""
    sections.register(
        Section(
            name="incidents",
            title="Incidents",
            why="What people were warned of: leaked keys, an altered log, failed deliveries, backups and drills.",
            columns=("alert", "at", "kind", "tenant", "about", "facts", "over_at"),
            rows=_incidents,
        )
    )
