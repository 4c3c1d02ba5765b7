"""Wrapped keys, in a database of their own: dumped apart from the data, and forgotten on a shorter clock.

root key (never in a database) → tenant key → subject key → a key per record (`compliance/envelope.py`). Each row says
which key wraps it. Rows refer to the main database by plain values.
"""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone


class TenantKey(models.Model):
    """Wraps the keys of a tenant's subjects. The newest one of a tenant that is not retired is the current one."""

    audit_secret_fields = frozenset({"wrapped"})

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.BigIntegerField()
    version = models.PositiveIntegerField()
    wrapped = models.BinaryField(null=True, help_text="Under the root key; none once it was destroyed.")
    root_version = models.PositiveIntegerField(db_index=True)
    fingerprint = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["TenantKey"]]

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant_id", "version"), name="tenant_key_version_once"),
            models.CheckConstraint(
                name="tenant_key_destroyed_is_gone",
                condition=models.Q(wrapped__isnull=True) ^ models.Q(destroyed_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"key {self.version} of " + (f"tenant {self.tenant_id}" if self.tenant_id else "the canaries of backups")


class SubjectKey(models.Model):
    """The data key of one person. What is left of a destroyed one keeps another from being made in its place.

    A person who is erased before there was a key gets a row without one, destroyed from the beginning, for that reason;
    its fingerprint is empty.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = models.BigIntegerField()
    surrogate = models.CharField(max_length=27)
    wrapped = models.BinaryField(null=True, help_text="Under the tenant key; none once it was destroyed.")
    tenant_key_version = models.PositiveIntegerField()
    fingerprint = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["SubjectKey"]]

    class Meta:
        # Of what is not destroyed: rotation walks along it, and counts what a version of the tenant's key still wraps.
        indexes = (
            models.Index(
                fields=("tenant_id", "tenant_key_version", "id"),
                name="subject_key_wrapped_by",
                condition=models.Q(wrapped__isnull=False),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("tenant_id", "surrogate"), name="subject_key_once"),
            models.CheckConstraint(
                name="subject_key_destroyed_is_gone",
                condition=models.Q(wrapped__isnull=True) ^ models.Q(destroyed_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"key of {self.surrogate}"


class DeadKey(models.Model):
    """The fingerprint of a destroyed key: a key that has it is refused wherever it comes from, a backup for one."""

    fingerprint = models.BinaryField(primary_key=True, max_length=32)
    destroyed_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[models.Manager["DeadKey"]]

    def __str__(self) -> str:
        return bytes(self.fingerprint).hex()


class SigningKey(models.Model):
    """Signs receipts, certificates, reports and exports (Ed25519). The newest one signs; all of them verify."""

    audit_secret_fields = frozenset({"wrapped"})

    id = models.BigAutoField(primary_key=True)
    wrapped = models.BinaryField(help_text="The private key, under the root key.")
    root_version = models.PositiveIntegerField(db_index=True)
    public = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager["SigningKey"]]

    def __str__(self) -> str:
        return f"signing key {bytes(self.public).hex()[:16]}"


class RetiredRoot(models.Model):
    """A version of the root key that nothing needs any more, and that may wrap nothing again."""

    version = models.PositiveIntegerField(primary_key=True)
    retired_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager["RetiredRoot"]]

    def __str__(self) -> str:
        return f"root key {self.version}"


class ErasureEntry(models.Model):
    """One entry of the ledger of erasures, which only grows and is replayed after a restore.

    Also written to the files of `ERASURE_LEDGER`, which no restore of a database takes back. `entry_hash` is SHA-256
    over the entry before it and this one's canonical JSON.
    """

    number = models.BigIntegerField(primary_key=True)
    erasure_id = models.UUIDField(unique=True)
    tenant_id = models.BigIntegerField()
    surrogate = models.CharField(max_length=27, blank=True, help_text="Empty: the whole tenant.")
    key_ids = models.JSONField(default=list)
    fingerprints = models.JSONField(default=list, help_text="Of the destroyed keys, in hex.")
    lookup = models.CharField(max_length=27, blank=True, help_text="What keeps the person from being enrolled again.")
    successor = models.CharField(max_length=27, blank=True, help_text="The surrogate that keeps it from then on.")
    recorded_at = models.DateTimeField()
    entry_hash = models.BinaryField(max_length=32)

    objects: ClassVar[models.Manager["ErasureEntry"]]

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"erasure {self.number}"
