"""What shows that the installation is run well: backups, exports, and a key that somebody has published."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actions import keys
from accounts.models import Application, Tenant
from compliance.actions import audit_exports, backups, drills, packs
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.models import AuditExport, EvidencePack
from gateway.actions import leaks
from gateway.demo import tenants
from gateway.models import Leak

MONTH = timedelta(days=30)
FIRST_CHECKPOINTS_S = 180
"""By then a worker has signed the first ones, and brought them outside of the database."""


def seed(*, by: Actor) -> None:
    """Reports a key as published, and asks for an export, a pack, a verification, a backup and a drill: a worker makes
    them as soon as it runs, so that nobody waits for them here.
    """
    acme = Tenant.objects.get(slug=tenants.ACME.slug)
    _leak(acme, by=by)
    audit_exports.request(export=AuditExport(tenant_id=acme.pk), by=by)
    today = timezone.now().date()
    packs.request(pack=EvidencePack(first_day=today - MONTH, last_day=today), by=by)
    transaction.on_commit(_verify_later, robust=True)
    backups.ask_for(by=by)
    drills.ask_for(by=by, after_backup=True)


def _verify_later() -> None:
    enqueue("compliance.tasks.verify_audit_log", countdown=FIRST_CHECKPOINTS_S)


def _leak(acme: Tenant, *, by: Actor) -> None:
    """A key that nobody uses: what leaks is revoked at once."""
    application = Application.objects.get(tenant=acme, slug="search")
    _, secret = keys.issue(application=application, name="notebook", environment="dev", by=by)
    leaks.report_text(text=secret, source=Leak.Source.COMMAND, place="a public notebook", by=by)
