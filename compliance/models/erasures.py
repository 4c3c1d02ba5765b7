"""Erasures of people and of whole tenants: how far each one is, what it destroyed, and how it was proved."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from compliance.registry import Person, stores

EVICT = "evict "
EXPORT, FENCE, DESTROY, LEDGER = "export", "fence", "destroy", "ledger"
VERIFY, CERTIFICATE = "verify", "certificate"


class Erasure(models.Model):
    """One person's, or with an empty surrogate one tenant's, way from the fence to the certificate."""

    class State(models.TextChoices):
        ON_HOLD = "on_hold", "Waits for a legal hold"
        RUNNING = "running", "Running"
        INCOMPLETE = "incomplete", "Incomplete"
        COMPLETE = "complete", "Complete"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    surrogate = models.CharField(max_length=27, blank=True, help_text="Empty: the whole tenant.")
    successor = models.CharField(
        max_length=27, blank=True, help_text="The surrogate under which the person stays erased."
    )
    request_id = models.BigIntegerField(null=True, blank=True, help_text="The subject request that asked for it.")
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    reason = models.TextField(blank=True)
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField(auto_now_add=True)
    fenced_at = models.DateTimeField(null=True, blank=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="When officers were told that it is incomplete.")
    restricts = models.BooleanField(
        default=False, help_text="Whether the person was restricted because it waits: that ends if it is cancelled."
    )
    ledger_number = models.BigIntegerField(null=True, blank=True, unique=True)
    # Only between fence and ledger entry: what the entry needs, and the subject row has lost.
    lookup = models.CharField(max_length=27, blank=True, editable=False)
    key_ids = ArrayField(models.CharField(max_length=36), default=list, blank=True)
    fingerprints = ArrayField(models.CharField(max_length=64), default=list, blank=True, help_text="In hex.")
    canary = models.BinaryField(
        null=True, editable=False, help_text="Sealed under the key before it was destroyed; it must not open any more."
    )
    problem = models.TextField(blank=True, help_text="Why it is not complete.")
    export = models.JSONField(default=dict, blank=True, help_text="Of a tenant: the file that it was handed.")
    certificate = models.JSONField(null=True, blank=True, help_text="Signed.")

    audit_secret_fields = frozenset({"lookup", "canary", "certificate"})

    class Meta:
        ordering = ("-requested_at",)
        constraints = (
            # A surrogate is erased once; a person who was enrolled again has another one.
            models.UniqueConstraint(
                fields=("tenant", "surrogate"), name="erasure_once", condition=~Q(state="cancelled")
            ),
            models.CheckConstraint(
                name="erasure_destroys_behind_the_fence",
                condition=Q(destroyed_at__isnull=True) | Q(fenced_at__isnull=False),
            ),
            models.CheckConstraint(
                name="erasure_on_hold_destroys_nothing", condition=~Q(state="on_hold") | Q(destroyed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="erasure_fenced_is_not_cancelled", condition=~Q(state="cancelled") | Q(fenced_at__isnull=True)
            ),
            models.CheckConstraint(
                name="erasure_complete_is_certified",
                condition=~Q(state="complete") | Q(finished_at__isnull=False, certificate__isnull=False),
            ),
        )
        indexes = (models.Index(fields=("state", "requested_at"), name="erasure_open", condition=~Q(state="complete")),)

    def __str__(self) -> str:
        return self.surrogate or f"the whole tenant {self.tenant}"

    @property
    def person(self) -> Person:
        """Whom it is about."""
        return Person(self.tenant_id, self.surrogate)

    @property
    def has_destroyed(self) -> bool:
        """Whether the key is gone, so that no hold has anything left to keep. What is in the ledger is destroyed."""
        return self.destroyed_at is not None or self.ledger_number is not None


class ErasureStep(models.Model):
    """One step of an erasure, in order. Steps are idempotent: one that was cut off is taken again."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    erasure = models.ForeignKey(Erasure, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100, help_text="As `destroy`; of a store its name, after `evict`.")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    erased = models.BigIntegerField(default=0, help_text="Rows, or files.")
    remains = models.BigIntegerField(default=0, help_text="What of the person could still be read afterwards.")
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("erasure", "position")
        constraints = (models.UniqueConstraint(fields=("erasure", "name"), name="erasure_step_once"),)

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """For people."""
        titles = {each.name: each.title for each in stores()} if self.store else {}
        return f"Evict: {titles.get(self.store, self.store)}" if self.store else self.name.capitalize()

    @property
    def store(self) -> str:
        """The store that it evicts from; empty for other steps."""
        return self.name.removeprefix(EVICT) if self.name.startswith(EVICT) else ""


class ErasureMark(models.Model):
    """How far this database knows the ledger of erasures. After a restore it is behind, until they are replayed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    entry_hash = models.CharField(max_length=64, blank=True, help_text="Of that entry, in hex.")
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.CheckConstraint(name="erasure_mark_is_one", condition=Q(id=1)),)

    def __str__(self) -> str:
        return f"erasure {self.number}"
