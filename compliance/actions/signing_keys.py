"""Makes the keys that sign what this installation hands out."""

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections, transaction
from django.utils import timezone

from compliance import rows
from compliance.contracts import Actor
from compliance.crypto import key_version
from compliance.keyring import signers
from compliance.keyring.models import SigningKey
from compliance.keyring.roots import root_keys
from compliance.keyring.store import DATABASE, answering


def make_signing_key(*, by: Actor) -> SigningKey:
    """Makes the key that signs from now on. What older ones have signed verifies still.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    wrapped = root_keys().wrap(private.private_bytes_raw(), context=signers.place_of(public))
    row = SigningKey(wrapped=wrapped, root_version=key_version(wrapped), public=public)
    with answering(), transaction.atomic(), transaction.atomic(using=DATABASE):
        return rows.create(row, by=by)


def rotate_due(*, days: int, by: Actor) -> SigningKey | None:
    """Makes the next key where the one that signs is older than so many days; of two at once, one does.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    with answering(), transaction.atomic(), transaction.atomic(using=DATABASE):
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('portcullis.signing', 0))")
        newest = SigningKey.objects.order_by("-id").first()
        if newest is None or timezone.now() - newest.created_at < timedelta(days=days):
            return None
        return make_signing_key(by=by)
