"""What a tenant wants its costs attributed to, beside what the gateway knows by itself."""

from django.core.validators import RegexValidator
from django.db import models

from accounts.models import Tenant

TAG_KEY = RegexValidator(r"^[a-zA-Z][a-zA-Z0-9_.-]{0,63}\Z", "Use letters, digits, '_', '-' and '.', a letter first.")


class AttributionTag(models.Model):
    """A key of a request's `metadata` that is recorded with its usage, and that budgets and reports may name."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="attribution_tags")
    key = models.CharField(max_length=64, validators=[TAG_KEY], help_text="A key of metadata, such as feature.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("tenant", "key")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "key"),
                name="attribution_tag_once",
                violation_error_message="The tenant has declared this tag already.",
            ),
        )

    def __str__(self) -> str:
        return self.key
