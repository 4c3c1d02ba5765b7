"""The audit log: events, and the Merkle trees (RFC 6962) that they are the leaves of. Rows are only ever added; the
database refuses everything else but what `sql/audit_log.sql` does.

Events are written by actions. A sequencer (`actions/audit_log.py`) gives each its place in its log, and signs a
checkpoint over the log as it is then; so there is no leaf without a checkpoint over it.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """One thing that someone did. Owns nothing and refers by plain values, so nothing it names can pull it along."""

    occurred_at = models.DateTimeField(db_default=Now())
    tenant_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=100)
    action = models.CharField(max_length=100, help_text="What was done, as object.verb.")
    target_kind = models.CharField(max_length=50)
    target_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=16, default="success")
    reason = models.TextField(blank=True)
    before = models.JSONField(default=dict, help_text="The changed fields as they were.")
    after = models.JSONField(default=dict, help_text="The changed fields as they became.")
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True, unpack_ipv4=True)
    user_agent = models.CharField(max_length=300, blank=True)
    version = models.PositiveSmallIntegerField(
        default=2, help_text="Of this row's shape. Rows of version 1 have no salts."
    )
    salts = models.BinaryField(
        default=b"", editable=False, help_text="16 bytes for each field of the leaf, in the order of their names."
    )
    redacted = models.JSONField(
        default=dict, editable=False, help_text="Fields whose value and salt were destroyed: name to digest, in hex."
    )
    subjects = ArrayField(
        models.CharField(max_length=27), default=list, editable=False, help_text="The surrogates that it names."
    )

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("tenant_id", "-id"), name="audit_tenant"),
            models.Index(fields=("target_kind", "target_id", "-id"), name="audit_target"),
            models.Index(fields=("actor_kind", "actor_id", "-id"), name="audit_actor"),
            models.Index(fields=("action", "-id"), name="audit_action"),
            models.Index(fields=("occurred_at",), name="audit_time"),
            models.Index(fields=("request_id",), name="audit_request", condition=~models.Q(request_id="")),
            models.Index(fields=("outcome", "-id"), name="audit_outcome", condition=~models.Q(outcome="success")),
            GinIndex(fields=("subjects",), name="audit_subjects", condition=~models.Q(subjects=[])),
            # The oldest rows do not say whom they name: those of a tenant are read for it.
            models.Index(fields=("tenant_id", "id"), name="audit_unsalted", condition=models.Q(version=1)),
        )
        constraints = (models.CheckConstraint(name="audit_event_numbered", condition=models.Q(id__gt=0)),)

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_id}"


class AuditPending(models.Model):
    """An event that has no place in its log yet. A trigger adds the row with the event; the sequencer takes it."""

    event_id = models.BigIntegerField(primary_key=True)

    objects: ClassVar[models.Manager["AuditPending"]]

    class Meta:
        constraints = (models.CheckConstraint(name="audit_pending_numbered", condition=models.Q(event_id__gt=0)),)

    def __str__(self) -> str:
        return f"event {self.event_id}"


class AuditLog(models.Model):
    """One tenant's log, or the platform's."""

    tenant_id = models.BigIntegerField(null=True, help_text="Empty: what belongs to no tenant.")
    origin = models.CharField(max_length=200, unique=True, help_text="Its name in checkpoints, unique in the world.")
    size = models.BigIntegerField(default=0, help_text="How many leaves there are.")
    pruned_to = models.BigIntegerField(default=0, help_text="Events before this index were removed when due.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("tenant_id",)
        constraints = (
            models.UniqueConstraint(fields=("tenant_id",), name="audit_log_tenant_once", nulls_distinct=False),
            models.CheckConstraint(
                name="audit_log_pruned_within", condition=models.Q(pruned_to__lte=models.F("size"), pruned_to__gte=0)
            ),
        )

    def __str__(self) -> str:
        return self.origin


class AuditLeaf(models.Model):
    """The place of an event in its log. Its hash is in the tiles."""

    event_id = models.BigIntegerField(primary_key=True)
    log = models.ForeignKey(AuditLog, on_delete=models.PROTECT, related_name="leaves")
    index = models.BigIntegerField()

    class Meta:
        ordering = ("log", "index")
        constraints = (models.UniqueConstraint(fields=("log", "index"), name="audit_leaf_place_once"),)

    def __str__(self) -> str:
        return f"{self.log_id}/{self.index}"


class AuditTile(models.Model):
    """256 neighbouring hashes of one level of a tree, or as many as there are: https://c2sp.org/tlog-tiles.

    Level 0 holds hashes of leaves; level n the roots of full tiles of level n - 1.
    """

    log = models.ForeignKey(AuditLog, on_delete=models.PROTECT, related_name="tiles")
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField(help_text="32 bytes each.")

    class Meta:
        ordering = ("log", "level", "index")
        constraints = (models.UniqueConstraint(fields=("log", "level", "index"), name="audit_tile_once"),)

    def __str__(self) -> str:
        return f"{self.log_id}/{self.level}/{self.index}"


class AuditCheckpoint(models.Model):
    """A log's root at a size, signed: https://c2sp.org/tlog-checkpoint in https://c2sp.org/signed-note."""

    log = models.ForeignKey(AuditLog, on_delete=models.PROTECT, related_name="checkpoints")
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    signed_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, help_text="When all sinks had it.")
    delivered_to = ArrayField(models.CharField(max_length=50), default=list, help_text="The sinks that took it.")

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("log", "size"), name="audit_checkpoint_once"),)
        indexes = (
            models.Index(fields=("id",), name="audit_checkpoint_undelivered", condition=models.Q(delivered_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.log} at {self.size:,}"
