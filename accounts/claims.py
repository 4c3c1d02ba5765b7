"""The link by which whoever runs an application gets the new secret of its key, once.

The link's token is 256 random bits. Its hash finds the row; the token and the secret are kept sealed under the root key
until somebody claims the secret or the link ends, so that mails and webhooks can be sent anew meanwhile. A dump of the
database opens neither.
"""

import hashlib
import secrets

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts import rotating
from accounts.models import ApiKey, SecretClaim, Tenant
from compliance import sealed
from compliance.errors import DecryptionFailed

TOKEN_BYTES = 32


def new_token() -> str:
    """A token for a link: 43 characters that need no escaping."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """What a link's row is found by. A plain hash will do: nobody can guess 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def found(token: str) -> SecretClaim | None:
    """The claim that a link leads to, whatever its state."""
    return SecretClaim.objects.select_related("key__application", "tenant").filter(link_hash=hash_of(token)).first()


def is_open(claim: SecretClaim) -> bool:
    """Whether the link works: nobody has used it, it has not ended, and its key would be accepted."""
    return _waits(claim) and rotating.in_use(at=timezone.now()).filter(pk=claim.key_id).exists()


def is_suspended(claim: SecretClaim) -> bool:
    """Whether the link will work again once its key, the application or the tenant is resumed."""
    key = ApiKey.objects.select_related("application", "tenant").get(pk=claim.key_id)
    standings = {key.status, key.application.status, key.tenant.status}
    has_expired = key.expires_at is not None and key.expires_at <= timezone.now()
    is_for_good = has_expired or bool(standings & {ApiKey.Status.REVOKED, Tenant.Status.CLOSED})
    return _waits(claim) and not is_for_good and standings != {ApiKey.Status.ACTIVE}


def _waits(claim: SecretClaim) -> bool:
    return claim.state == SecretClaim.State.WAITING and claim.expires_at > timezone.now()


def waiting_for(key: ApiKey) -> SecretClaim | None:
    """The claim of the key's current secret, while nobody has claimed it."""
    rows = SecretClaim.objects.select_related("replaces", "key__application", "tenant")
    return rows.filter(key=key, state=SecretClaim.State.WAITING).first()


def url_of(claim_id: int) -> str:
    """The address of a link, for a mail or a webhook; empty when it does not work, or cannot be opened.

    Without PUBLIC_URL it begins with a slash.
    """
    claim = SecretClaim.objects.select_related("key").filter(pk=claim_id).first()
    if claim is None or claim.link is None or not is_open(claim):
        return ""
    try:
        token = sealed.unseal(claim.link, context=link_place(claim.public_id)).decode()
    except DecryptionFailed:
        return ""
    return f"{settings.PUBLIC_URL}{reverse('claim', args=[token])}"


def link_place(public_id: str) -> str:
    """What a sealed token is bound to."""
    return f"claim-link/{public_id}"


def secret_place(public_id: str) -> str:
    """What a sealed secret is bound to."""
    return f"claim-secret/{public_id}"


COLUMNS = (
    sealed.Column(
        model=SecretClaim, name="link", context=lambda row: link_place(row.public_id), title="links to new API keys"
    ),
    sealed.Column(
        model=SecretClaim, name="secret", context=lambda row: secret_place(row.public_id), title="unclaimed API keys"
    ),
)
