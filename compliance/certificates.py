"""What a certificate of erasure says. Signed with the installation's key; verifies offline, see docs/operations.md."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max

from compliance import registry
from compliance.backups import keeping
from compliance.evidence import inclusion
from compliance.models import AuditEvent, Erasure, ErasureStep
from compliance.models.erasures import EVICT
from compliance.registry import Class
from compliance.retention import rule_of

KIND = "erasure_certificate"


def document_of(erasure: Erasure, *, event: AuditEvent) -> dict[str, Any]:
    """The certificate of a finished erasure, as JSON values; no personal data but the dead surrogate.

    Args:
        event: the one that says so, with its place in its log already, which the certificate proves.
    """
    steps = list(erasure.steps.order_by("position"))
    return {
        "version": 1,
        "erasure": str(erasure.pk),
        "request": erasure.request_id,
        "tenant": erasure.tenant_id,
        "subject": erasure.surrogate or None,
        "requested_at": _time(erasure.requested_at),
        "fenced_at": _time(erasure.fenced_at),
        "keys_destroyed_at": _time(erasure.destroyed_at),
        "verified_at": _time(erasure.finished_at),
        "keys_destroyed": [
            {"id": key_id, "fingerprint": fingerprint}
            for key_id, fingerprint in zip(erasure.key_ids, erasure.fingerprints, strict=True)
        ],
        **({"export": erasure.export} if erasure.export else {}),
        "ledger_entry": erasure.ledger_number,
        "stores": [_store(step) for step in steps if step.store],
        "withheld": withheld(),
        "canary": "sealed before, does not open after" if erasure.canary else "there was no key that could seal one",
        "audit": inclusion.document_of(event.pk),
        "irrecoverable_in_backups_by": irrecoverable_by(erasure),
        "backups_kept_days": {
            "data": keeping.horizon_days(days=settings.BACKUP_DAYS, weeks=settings.BACKUP_WEEKS),
            "keys": settings.KEYS_BACKUP_DAYS,
        },
    }


def irrecoverable_by(erasure: Erasure) -> str | None:
    """The day on which the last backup that knew the key, or a row, is gone; None while it goes on.

    Backups of the data are made until the last store is evicted, those with the key until it was destroyed.
    """
    evicted = erasure.steps.filter(name__startswith=EVICT).aggregate(last=Max("done_at"))["last"]
    if erasure.destroyed_at is None or evicted is None:
        return None
    kept_days = keeping.horizon_days(days=settings.BACKUP_DAYS, weeks=settings.BACKUP_WEEKS)
    kept = timedelta(days=max(kept_days, rule_of(erasure.tenant_id, Class.BACKUPS).days))
    keys_kept = timedelta(days=settings.KEYS_BACKUP_DAYS)
    gone: datetime = max(erasure.destroyed_at + keys_kept, evicted + kept)
    return gone.date().isoformat()


def withheld() -> list[dict[str, str]]:
    """What an erasure leaves, and on which legal basis."""
    return [{"store": each.title, "because": each.withheld} for each in registry.stores() if each.withheld]


def _store(step: ErasureStep) -> dict[str, Any]:
    titles = {each.name: each.title for each in registry.stores()}
    return {
        "name": step.store,
        "title": titles.get(step.store, step.store),
        "erased": step.erased,
        "remains": step.remains,
    }


def _time(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
