"""What guards have flagged for people to look at, what those decided, and how often guards found something.

The rows of items and counts are written where decisions are: by the trigger of `sql/reviews.sql`.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from gateway.guards.base import Action


class ReviewItem(models.Model):
    """One exchange in which guards flagged something. Plain numbers: whatever they name may go before it.

    Whom it was about is known by the decisions alone, which are severed when the person is erased.
    """

    audit_secret_fields = frozenset({"notes"})

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        DISMISSED = "dismissed", "Dismissed"

    request_id = models.UUIDField(unique=True)
    tenant_id = models.BigIntegerField()
    application_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    environment = models.TextField(blank=True)
    model = models.TextField(blank=True)
    at = models.DateTimeField(help_text="When the request ended.")
    guards = ArrayField(models.TextField(), default=list)
    rules = ArrayField(models.TextField(), default=list, help_text="What they found, as guard.rule.")
    score = models.FloatField(default=0, help_text="The highest.")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    key_blocked_at = models.DateTimeField(null=True, blank=True)
    person_blocked_at = models.DateTimeField(null=True, blank=True)
    notes = models.JSONField(
        default=list, blank=True, help_text="Of reviewers, each with `by`, `at` and `text`; only added to."
    )

    objects: ClassVar[models.Manager["ReviewItem"]]

    class Meta:
        verbose_name = "review"
        ordering = ("-at", "-id")
        indexes = [
            models.Index(fields=("state", "-at"), name="review_by_state"),
            models.Index(fields=("tenant_id", "-at"), name="review_of_tenant"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="review_decided_or_open",
            )
        ]
        default_permissions = ("view", "change")
        permissions = (("block_reviewitem", "Can block the key or the person of a review"),)

    def __str__(self) -> str:
        return f"review of {self.at:%Y-%m-%d %H:%M:%S}"


class GuardCount(models.Model):
    """In how many requests of a day (UTC) a guard did something, for the front page and for reports."""

    tenant_id = models.BigIntegerField()
    day = models.DateField()
    guard = models.TextField()
    action = models.SmallIntegerField(choices=[(each.value, each.name.lower()) for each in Action if each])
    requests = models.BigIntegerField(default=0)
    findings = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager["GuardCount"]]

    class Meta:
        ordering = ("-day", "tenant_id", "guard", "action")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=("day", "tenant_id", "guard", "action"), name="guard_count_once")]

    def __str__(self) -> str:
        return f"{self.guard} {self.day}"
