"""What guards found and what was done about it. The table is that of `sql/guard_decisions.sql`."""

from typing import ClassVar

from django.db import models

from gateway.guards.base import Action, Direction, Role


class GuardDecision(models.Model):
    """What a guard found of one kind in one request or answer, or that it failed. Never what was found."""

    class Error(models.TextChoices):
        RAISED = "raised", "The guard failed"
        BUDGET = "budget", "No time was left"

    id = models.UUIDField(primary_key=True)
    request_id = models.UUIDField()
    at = models.DateTimeField(help_text="When the request ended.")
    tenant_id = models.BigIntegerField()
    application_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    environment = models.TextField(blank=True)
    model = models.TextField(blank=True, help_text="Empty: it was refused before a model was chosen.")
    surrogate = models.TextField(blank=True, help_text="Empty: the request named nobody.")
    policy_id = models.BigIntegerField(default=0, help_text="0: the one that holds where no other does.")
    guard = models.TextField()
    rule = models.TextField(blank=True)
    action = models.SmallIntegerField(choices=[(each.value, each.name.lower()) for each in Action if each])
    direction = models.TextField(choices=[(each.value, each.value) for each in Direction])
    role = models.TextField(
        choices=[(each.value, each.value) for each in Role], blank=True, help_text="Empty: the whole of it."
    )
    count = models.IntegerField(default=1)
    score = models.DecimalField(max_digits=4, decimal_places=3, default=1)
    error = models.TextField(choices=Error, blank=True, help_text="Why the guard could not look.")

    objects: ClassVar[models.Manager["GuardDecision"]]

    class Meta:
        managed = False
        db_table = "guard_decision"
        ordering = ("-at",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.guard} {self.rule}".strip()

    @property
    def where(self) -> str:
        """Whose text, of a prompt or of an answer, in words; what has no text of its own is about the whole."""
        return f"{self.get_direction_display()}, {self.get_role_display() if self.role else 'as a whole'}"
