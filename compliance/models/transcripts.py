"""What people wrote and were answered, encrypted; and for each request, whether it was stored.

The tables are those of `sql/transcripts.sql`.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Transcript(models.Model):
    """One request and its answer. Written by the SQL function `store_transcripts` only; never changed, but for `held`.

    Plain numbers instead of foreign keys: whatever they name may go before it.
    """

    id = models.UUIDField(primary_key=True, help_text="The request's.")
    tenant_id = models.BigIntegerField()
    surrogate = models.TextField()
    application_id = models.BigIntegerField(null=True)
    api_key_id = models.BigIntegerField(null=True)
    environment = models.TextField(blank=True)
    model = models.TextField(blank=True, help_text="As the client named it.")
    outcome = models.TextField(help_text="As in the usage record; the answer is partial unless it was completed.")
    streamed = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_on = models.DateField(help_text="On that day it is due, unless it is held.")
    held = models.BooleanField(default=False, help_text="Under a legal hold.")
    purpose = models.TextField(default="store_conversations")
    also_for = ArrayField(
        models.TextField(), default=list, help_text="Other purposes that the person allowed when it was stored."
    )
    key_id = models.UUIDField(help_text="Of the person's key.")
    sealed = models.BinaryField(help_text="Encrypted: see compliance/envelope.py.")
    plain_bytes = models.IntegerField()

    objects: ClassVar[models.Manager["Transcript"]]

    class Meta:
        managed = False
        db_table = "transcript"
        verbose_name = "conversation"
        ordering = ("-created_at",)
        default_permissions = ("view",)
        permissions = (
            ("read_transcript", "Can read transcripts"),
            ("read_restricted_transcript", "Can read transcripts that are restricted or under a legal hold"),
        )

    def __str__(self) -> str:
        return str(self.id)


class ContentDecision(models.Model):
    """Whether one request's content was stored, or why not. There is one for each request of a tenant that stores."""

    class Reason(models.TextChoices):
        NO_SUBJECT = "no_subject", "The request named nobody"
        NO_CONSENT = "no_consent", "No consent"
        REFUSED = "refused", "Consent was refused"
        WITHDRAWN = "withdrawn", "Consent was withdrawn"
        EXPIRED = "expired", "Consent has expired"
        NOTICE_CHANGED = "notice_changed", "The notice has changed since"
        SUBJECT_ERASED = "subject_erased", "The person is erased"
        RESTRICTED = "restricted", "The person's data is restricted"
        REDACTION_UNAVAILABLE = "redaction_unavailable", "Nothing can redact it"
        KEY_UNAVAILABLE = "key_unavailable", "The keys could not be reached"
        TOO_LARGE = "too_large", "Too large"
        BEHIND = "behind", "Storing could not keep up"
        UNAVAILABLE = "unavailable", "The database could not be reached"
        FAILED = "failed", "Storing failed"
        NOT_WANTED = "not_wanted", "The policy changed meanwhile"

    request_id = models.UUIDField(primary_key=True)
    tenant_id = models.BigIntegerField()
    surrogate = models.TextField(blank=True, help_text="Empty: the request named nobody.")
    at = models.DateTimeField()
    stored = models.BooleanField()
    reason = models.TextField(choices=Reason, blank=True, help_text="Why it was not stored.")

    objects: ClassVar[models.Manager["ContentDecision"]]

    class Meta:
        managed = False
        db_table = "content_decision"
        ordering = ("-at",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.request_id)
