"""Names of logs, unique in the world: they stand in every checkpoint, and a key signs under them."""

import base64
import secrets

from compliance.models import AuditLog

PLATFORM = "platform"
_PREFIX = "portcullis"


def installation() -> str | None:
    """This installation's own part of its logs' names; None before there is a log.

    It is made with the platform's log, and goes where a backup of the database goes.
    """
    platform = AuditLog.objects.filter(tenant_id=None).values_list("origin", flat=True).first()
    return platform.split("/")[1] if platform else None


def new_installation() -> str:
    """A part that nobody else has: 80 random bits."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def origin_of(installation: str, tenant_id: int | None) -> str:
    """The name of a tenant's log, or of the platform's."""
    return f"{_PREFIX}/{installation}/" + (PLATFORM if tenant_id is None else f"tenant/{tenant_id}")
