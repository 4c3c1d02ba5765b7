"""Actions that two people must want."""

from django.db import models
from django.db.models import F, Q

IN_WORDS = {
    "legal_hold.placed": "Place the legal hold",
    "legal_hold.released": "Lift the legal hold",
    "tenant.offboarded": "Off-board",
    "rootkey.retired": "Retire, to be destroyed,",
}


class Approval(models.Model):
    """One person's request to do something grave, and another one's answer."""

    about = ""
    """What the target is called, where somebody who knows has said so."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Expired"

    action = models.CharField(max_length=100, help_text="As in the audit log: object.verb.")
    target_kind = models.CharField(max_length=50)
    target_id = models.CharField(max_length=100)
    tenant_id = models.BigIntegerField(null=True)
    details = models.JSONField(default=dict)
    reason = models.TextField()
    state = models.CharField(max_length=16, choices=State, default=State.REQUESTED)
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("action", "target_kind", "target_id"),
                name="approval_one_open",
                condition=Q(state="requested"),
            ),
            models.CheckConstraint(name="approval_by_another", condition=~Q(decided_by=F("requested_by"))),
        )

    def __str__(self) -> str:
        return f"{IN_WORDS.get(self.action, self.action)} {self.about or self.target_id}"
