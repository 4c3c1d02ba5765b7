"""Delivery of the audit log to other systems."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pseudonyms"),
        ("compliance", "0010_bundles"),
    ]

    operations = [
        migrations.CreateModel(
            name="SiemStream",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        error_messages={"unique": "There is a stream of this name already."},
                        max_length=100,
                        unique=True,
                    ),
                ),
                (
                    "transport",
                    models.CharField(
                        choices=[
                            ("syslog_tls", "Syslog over TLS"),
                            ("https", "HTTPS"),
                            ("syslog_tcp", "Syslog over TCP, not encrypted"),
                        ],
                        default="syslog_tls",
                        max_length=16,
                    ),
                ),
                (
                    "host",
                    models.CharField(
                        blank=True, help_text="Of syslog: the receiver's name or address.", max_length=255
                    ),
                ),
                (
                    "port",
                    models.PositiveIntegerField(
                        default=6514,
                        help_text="6514 is syslog over TLS.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        blank=True,
                        help_text="Of HTTPS: it takes POSTs, one event on each line of the body.",
                        max_length=500,
                        verbose_name="URL",
                    ),
                ),
                (
                    "format",
                    models.CharField(choices=[("ocsf", "OCSF (JSON)"), ("cef", "CEF")], default="ocsf", max_length=8),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("all", "Everything"),
                            ("platform", "What belongs to no tenant"),
                            ("tenant", "One tenant"),
                        ],
                        default="all",
                        max_length=16,
                        verbose_name="what is delivered",
                    ),
                ),
                (
                    "from_start",
                    models.BooleanField(
                        default=False,
                        help_text="Else what happens from now on.",
                        verbose_name="with what is there already",
                    ),
                ),
                (
                    "ca",
                    models.TextField(
                        blank=True,
                        help_text="PEM. Empty: those that this machine trusts.",
                        max_length=65536,
                        verbose_name="CA certificates",
                    ),
                ),
                (
                    "certificate",
                    models.TextField(
                        blank=True,
                        help_text="PEM, for receivers that want to know who we are.",
                        max_length=65536,
                        verbose_name="our certificate",
                    ),
                ),
                ("private_key", models.BinaryField(help_text="Of the certificate, sealed.", null=True)),
                ("token", models.BinaryField(help_text="For HTTPS, sealed.", null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused")],
                        default="active",
                        editable=False,
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Of one tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "SIEM stream",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="SiemProgress",
            fields=[
                (
                    "stream",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="progress",
                        serialize=False,
                        to="compliance.siemstream",
                    ),
                ),
                ("delivered", models.BigIntegerField(default=0, help_text="Events, also those that were sent twice.")),
                ("delivered_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0, help_text="Since the last success.")),
                ("failing_since", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("next_at", models.DateTimeField(help_text="Not before.", null=True)),
                ("process", models.CharField(blank=True, help_text="Who delivers now.", max_length=200)),
                ("leased_until", models.DateTimeField(null=True)),
                (
                    "stuck_log_id",
                    models.BigIntegerField(help_text="Of the one event that cannot be delivered.", null=True),
                ),
                ("stuck_index", models.BigIntegerField(help_text="Its place.", null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SiemCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(default=0)),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="compliance.auditlog"
                    ),
                ),
                (
                    "stream",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="cursors", to="compliance.siemstream"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="siemstream",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("scope", "tenant"), ("tenant__isnull", False)),
                    models.Q(models.Q(("scope", "tenant"), _negated=True), ("tenant", None)),
                    _connector="OR",
                ),
                name="siem_stream_names_its_tenant",
                violation_error_message="Choose a tenant where one tenant is delivered, and only then.",
            ),
        ),
        migrations.AddConstraint(
            model_name="siemstream",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("transport", "https"), models.Q(("url", ""), _negated=True)),
                    models.Q(models.Q(("transport", "https"), _negated=True), models.Q(("host", ""), _negated=True)),
                    _connector="OR",
                ),
                name="siem_stream_has_an_address",
                violation_error_message="Give a URL for HTTPS, and a host for syslog.",
            ),
        ),
        migrations.AddConstraint(
            model_name="siemcursor",
            constraint=models.UniqueConstraint(fields=("stream", "log"), name="siem_cursor_once"),
        ),
    ]
