"""Exports of the audit log."""

import itertools
from typing import Any

from accounts.models import Tenant
from compliance.actions import audit_exports
from compliance.bundles.filters import Filters
from compliance.contracts import Actor
from compliance.models import AuditExport

_number = itertools.count(1)


def an_audit_export(tenant: Tenant | None = None, *, by: Actor | None = None, **chosen: Any) -> AuditExport:
    """One that was asked for and is not made yet; of the platform's log where there is no tenant."""
    export = AuditExport(tenant_id=tenant.pk if tenant else None, filters=Filters(**chosen).as_json())
    by = by or Actor(kind="command", id=f"somebody-{next(_number)}")  # one may have few under way at once
    return audit_exports.request(export=export, by=by)
