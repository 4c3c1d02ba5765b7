"""Where the audit log is delivered to, and how far each delivery is."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from compliance.models.audit import AuditLog


class SiemStream(models.Model):
    """One receiver of the audit log. Events arrive in the order of their log, each at least once."""

    audit_secret_fields = frozenset({"token", "private_key"})

    class Transport(models.TextChoices):
        TLS = "syslog_tls", "Syslog over TLS"
        HTTPS = "https", "HTTPS"
        TCP = "syslog_tcp", "Syslog over TCP, not encrypted"

    class Format(models.TextChoices):
        OCSF = "ocsf", "OCSF (JSON)"
        CEF = "cef", "CEF"

    class Scope(models.TextChoices):
        ALL = "all", "Everything"
        PLATFORM = "platform", "What belongs to no tenant"
        TENANT = "tenant", "One tenant"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"

    name = models.CharField(
        max_length=100, unique=True, error_messages={"unique": "There is a stream of this name already."}
    )
    transport = models.CharField(max_length=16, choices=Transport, default=Transport.TLS)
    host = models.CharField(max_length=255, blank=True, help_text="Of syslog: the receiver's name or address.")
    port = models.PositiveIntegerField(
        default=6514, validators=[MinValueValidator(1), MaxValueValidator(65535)], help_text="6514 is syslog over TLS."
    )
    url = models.CharField(
        "URL", max_length=500, blank=True, help_text="Of HTTPS: it takes POSTs, one event on each line of the body."
    )
    format = models.CharField(max_length=8, choices=Format, default=Format.OCSF)
    scope = models.CharField(max_length=16, choices=Scope, default=Scope.ALL, verbose_name="what is delivered")
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.PROTECT, related_name="+", null=True, blank=True, help_text="Of one tenant."
    )
    from_start = models.BooleanField(
        "with what is there already", default=False, help_text="Else what happens from now on."
    )
    ca = models.TextField(
        "CA certificates", blank=True, help_text="PEM. Empty: those that this machine trusts.", max_length=65_536
    )
    certificate = models.TextField(
        "our certificate", blank=True, help_text="PEM, for receivers that want to know who we are.", max_length=65_536
    )
    private_key = models.BinaryField(null=True, editable=False, help_text="Of the certificate, sealed.")
    token = models.BinaryField(null=True, editable=False, help_text="For HTTPS, sealed.")

    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "SIEM stream"
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="siem_stream_names_its_tenant",
                condition=Q(scope="tenant", tenant__isnull=False) | (~Q(scope="tenant") & Q(tenant=None)),
                violation_error_message="Choose a tenant where one tenant is delivered, and only then.",
            ),
            models.CheckConstraint(
                name="siem_stream_has_an_address",
                condition=(Q(transport="https") & ~Q(url="")) | (~Q(transport="https") & ~Q(host="")),
                violation_error_message="Give a URL for HTTPS, and a host for syslog.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class SiemProgress(models.Model):
    """How a stream's deliveries go. Not what people set, so it is not in the audit log: that would never end."""

    stream = models.OneToOneField(SiemStream, on_delete=models.CASCADE, primary_key=True, related_name="progress")
    delivered = models.BigIntegerField(default=0, help_text="Events, also those that were sent twice.")
    delivered_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="Since the last success.")
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    next_at = models.DateTimeField(null=True, help_text="Not before.")
    process = models.CharField(max_length=200, blank=True, help_text="Who delivers now.")
    leased_until = models.DateTimeField(null=True)
    stuck_log_id = models.BigIntegerField(null=True, help_text="Of the one event that cannot be delivered.")
    stuck_index = models.BigIntegerField(null=True, help_text="Its place.")

    objects: ClassVar[models.Manager["SiemProgress"]]

    def __str__(self) -> str:
        return f"progress of {self.stream_id}"


class SiemCursor(models.Model):
    """How many leaves of one log a stream has delivered."""

    stream = models.ForeignKey(SiemStream, on_delete=models.CASCADE, related_name="cursors")
    log = models.ForeignKey(AuditLog, on_delete=models.PROTECT, related_name="+")
    position = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("stream", "log"), name="siem_cursor_once"),)

    def __str__(self) -> str:
        return f"{self.stream_id} at {self.position} of {self.log_id}"
