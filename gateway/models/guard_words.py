"""The tenants' own: words and expressions that guards look for."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts.models import Tenant


class GuardDictionary(models.Model):
    """Words of a tenant that are not to pass: names, project words. They lie sealed and compiled, not as rows.

    Changed by a new upload or by adding and removing words; each time all gateways take the new `version`.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60, help_text="Findings carry it: do not name a secret here.")
    prefixes = models.BooleanField("match beginnings", default=False, help_text="Also words that begin with an entry.")
    active = models.BooleanField(default=True)
    entries = models.PositiveIntegerField(default=0, editable=False)
    version = models.PositiveIntegerField(default=0, editable=False)
    waits = models.BooleanField(default=False, editable=False, help_text="An upload is to be compiled.")
    problem = models.CharField(max_length=500, blank=True, editable=False, help_text="Of the last upload.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "dictionary"
        verbose_name_plural = "dictionaries"
        ordering = ("tenant_id", "name")
        constraints = [
            models.UniqueConstraint(
                fields=("tenant", "name"),
                name="guard_dictionary_once",
                violation_error_message="The tenant has a dictionary of that name.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class GuardDictionaryContent(models.Model):
    """The words of a dictionary, sealed under a key of its own: see gateway/dictionaries.py. Read only when they are
    needed."""

    class Format(models.TextChoices):
        TEXT = "text", "One entry a line"
        CSV = "csv", "CSV: the first column"

    audit_secret_fields = frozenset({"data_key", "sealed", "upload"})

    dictionary = models.OneToOneField(
        GuardDictionary, primary_key=True, on_delete=models.CASCADE, related_name="content"
    )
    data_key = models.BinaryField(help_text="Sealed under the root key.")
    sealed = models.BinaryField(default=b"", help_text="Compiled.")
    upload = models.BinaryField(null=True, help_text="What waits to be compiled.")
    upload_format = models.CharField(max_length=8, choices=Format, default=Format.TEXT)

    def __str__(self) -> str:
        return f"content of dictionary {self.dictionary_id}"


class GuardPattern(models.Model):
    """An expression of a tenant. It was found to take linear time, and at most 64 characters, when it was saved."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=40, help_text="What stands for a match: letters, digits and _, as EMPLOYEE_ID.")
    expression = models.CharField(max_length=500, help_text="As in Python, without backreferences and look-around.")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "pattern"
        ordering = ("tenant_id", "name")
        constraints = [
            models.UniqueConstraint(
                fields=("tenant", "name"),
                name="guard_pattern_once",
                violation_error_message="The tenant has a pattern of that name.",
            ),
            models.CheckConstraint(condition=~Q(expression=""), name="guard_pattern_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        from gateway.guards import custom

        try:
            custom.check(self.name, self.expression)
        except custom.PatternRefused as error:
            named = str(error).startswith("The name")
            raise ValidationError({"name" if named else "expression": str(error)}) from error
