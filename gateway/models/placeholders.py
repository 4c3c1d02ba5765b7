"""What placeholders of earlier requests stand for, where a guard policy has them kept for a while."""

from typing import ClassVar

from django.db import models

CODE_CHARS = 12


class GuardPlaceholder(models.Model):
    """One value of a person's, sealed under their key. Written by the SQL function `store_placeholders` only.

    Plain numbers instead of foreign keys: whatever they name may go before it.
    """

    tenant_id = models.BigIntegerField()
    surrogate = models.TextField()
    code = models.CharField(max_length=CODE_CHARS, help_text="As in the placeholder; tells nothing without the key.")
    key_id = models.UUIDField(help_text="Of the person's key.")
    sealed = models.BinaryField(help_text="Kind and value, encrypted: see compliance/envelope.py.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True, help_text="From then on nothing is restored from it.")

    objects: ClassVar[models.Manager["GuardPlaceholder"]]

    class Meta:
        verbose_name = "placeholder"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=("tenant_id", "surrogate", "code"), name="guard_placeholder_once"),
            models.CheckConstraint(condition=~models.Q(surrogate=""), name="guard_placeholder_of_somebody"),
        ]

    def __str__(self) -> str:
        return self.code
