"""The one table that tells who is behind a surrogate."""

from django.db import models
from django.db.models import Q


class Subject(models.Model):
    """A person whom a tenant's application names in `safety_identifier` or `user`.

    Everything else in the product knows the surrogate only. When the person is erased, this row loses the external id
    and the lookup, and keeps the surrogate, which then is nobody's; a row of its own, in state `erased` too, keeps the
    lookup under a new surrogate, so that the person stays erased until somebody enrols them again.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        RESTRICTED = "restricted", "Restricted"
        ERASED = "erased", "Erased"

    audit_secret_fields = frozenset({"external_id", "lookup"})

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    surrogate = models.CharField(max_length=27, unique=True, editable=False)
    lookup = models.CharField(max_length=27, null=True, editable=False, help_text="Keyed hash of the external id.")
    external_id = models.BinaryField(null=True, editable=False, help_text="Encrypted under the person's own key.")
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    state_since = models.DateTimeField(auto_now_add=True)
    blocked_at = models.DateTimeField(null=True, editable=False, help_text="Since then their requests are refused.")

    class Meta:
        permissions = (
            ("identify_subject", "Can see who is behind a surrogate"),
            ("reenrol_subject", "Can enrol an erased person again"),
            ("unrestrict_subject", "Can end the restriction of a person"),
            ("block_subject", "Can have a person's requests refused"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "lookup"), name="subject_once", condition=Q(lookup__isnull=False)
            ),
            models.CheckConstraint(
                name="subject_erased_has_no_name", condition=~Q(state="erased") | Q(external_id__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.surrogate
