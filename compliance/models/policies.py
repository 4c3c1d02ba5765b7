"""What a tenant wants to happen with content."""

from django.db import models


class ContentPolicy(models.Model):
    """Whether a tenant's conversations are stored, and on what terms. Without one nothing is stored."""

    class Redaction(models.TextChoices):
        NONE = "none", "Stored as it is"
        REQUIRED = "required", "Only redacted"

    class OnWithdrawal(models.TextChoices):
        ERASE = "erase", "Erase what was stored"
        KEEP = "keep", "Keep it until it is due"

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.PROTECT, related_name="+", primary_key=True)
    store = models.BooleanField(
        default=False, verbose_name="store conversations", help_text="Of people who consented, and of nobody else."
    )
    redaction = models.CharField(
        max_length=16,
        choices=Redaction,
        default=Redaction.NONE,
        help_text="Where only redacted content may be stored and nothing can redact it, none is.",
    )
    processing_purpose = models.SlugField(
        max_length=50,
        blank=True,
        help_text="Requests of people without consent to this purpose are refused. Empty: no consent is needed.",
    )
    on_withdrawal = models.CharField(
        max_length=16,
        choices=OnWithdrawal,
        default=OnWithdrawal.ERASE,
        help_text="What happens to what was stored with a consent that is then withdrawn. Legal holds win.",
    )
    controller = models.CharField(max_length=200, blank=True)
    regime = models.CharField(max_length=20, default="gdpr", help_text="Whose deadlines hold for subject requests.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "content policies"

    def __str__(self) -> str:
        return "stored" if self.store else "not stored"
