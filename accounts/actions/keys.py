"""What can be done with an API key: issue, change, suspend, resume, revoke."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import peppers, tokens
from accounts.actions import key_notices, rotations
from accounts.errors import KeyNotActive, TenantNotActive
from accounts.models import ApiKey, Application, Tenant
from accounts.models.keys import DEFAULT_SCOPES
from compliance import rows
from compliance.contracts import Actor

CHANGEABLE = ("name", "scopes", "allowed_models", "allowed_networks", "expires_at")


@transaction.atomic
def issue(
    *,
    application: Application,
    name: str,
    environment: str,
    by: Actor,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    allowed_models: Sequence[str] = (),
    allowed_networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key and returns it with its secret text, which exists nowhere else from then on.

    Raises:
        TenantNotActive: the tenant or the application is not active.
        ValidationError: a field makes no sense, e.g. an expiry in the past.
    """
    application = _require_active(application)
    if environment not in tokens.ENVIRONMENTS:
        raise ValidationError({"environment": f"Choose one of {', '.join(tokens.ENVIRONMENTS)}."})
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "The expiry lies in the past; choose a later time."})
    token = tokens.generate(environment)
    pepper_version = peppers.current()
    key = ApiKey(
        tenant=application.tenant,
        application=application,
        name=name,
        environment=environment,
        public_id=token.public_id,
        pepper_version=pepper_version,
        digest=tokens.digest(token.text, pepper=settings.KEY_PEPPERS[pepper_version]),
        last_four=token.last_four,
        scopes=list(scopes),
        allowed_models=list(allowed_models),
        allowed_networks=list(allowed_networks),
        expires_at=expires_at,
    )
    return rows.create(key, by=by), token.text


@transaction.atomic
def change(*, key: ApiKey, by: Actor) -> ApiKey:
    """Saves a changed name, scopes, models, networks or expiry.

    Raises:
        KeyNotActive: it was revoked.
    """
    stored = ApiKey.objects.select_for_update().get(pk=key.pk)
    _require_not_revoked(stored)
    if stored.expires_at != key.expires_at:
        key_notices.expiry_is_over(key=stored, by=by)
    return rows.change(key, by=by, fields=CHANGEABLE)


def suspend(*, key: ApiKey, by: Actor, reason: str = "") -> ApiKey:
    """Refuses the key, with all of its secrets, until it is resumed.

    Raises:
        KeyNotActive: it was revoked.
    """
    return _set_status(key, ApiKey.Status.SUSPENDED, by=by, verb="suspended", reason=reason)


def resume(*, key: ApiKey, by: Actor, reason: str = "") -> ApiKey:
    """Accepts a suspended key again.

    Raises:
        KeyNotActive: it was revoked.
    """
    return _set_status(key, ApiKey.Status.ACTIVE, by=by, verb="resumed", reason=reason)


@transaction.atomic
def revoke(*, key: ApiKey, by: Actor, reason: str = "") -> ApiKey:
    """Ends the key for good, with its old secrets and the link to a new one.

    Raises:
        KeyNotActive: it was revoked already.
    """
    key = _set_status(key, ApiKey.Status.REVOKED, by=by, verb="revoked", reason=reason)
    rotations.let_go(key=key, by=by, reason=reason)
    return key


@transaction.atomic
def _set_status(key: ApiKey, status: ApiKey.Status, *, by: Actor, verb: str, reason: str) -> ApiKey:
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    _require_not_revoked(key)
    key.status = status
    key.revoked_at = timezone.now() if status == ApiKey.Status.REVOKED else None
    return rows.change(key, by=by, verb=verb, reason=reason, fields=("status", "revoked_at"))


def _require_not_revoked(key: ApiKey) -> None:
    if key.status == ApiKey.Status.REVOKED:
        raise KeyNotActive(f"{key.masked} was revoked, which is for good; issue a new key instead.")


def _require_active(application: Application) -> Application:
    """The application as it is now; its tenant's status is locked, so a key cannot slip in while it is closed."""
    Tenant.objects.select_for_update().get(pk=application.tenant_id)
    application = Application.objects.select_related("tenant").select_for_update(of=("self",)).get(pk=application.pk)
    if application.tenant.status != Tenant.Status.ACTIVE:
        raise TenantNotActive(f"{application.tenant} is {application.tenant.status}; resume it first.")
    if application.status != Application.Status.ACTIVE:
        raise TenantNotActive(f"{application} is suspended; resume it first.")
    return application
