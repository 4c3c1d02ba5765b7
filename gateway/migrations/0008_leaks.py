"""Keys that were found where they do not belong, and whose reports of such are believed."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import gateway.models.leaks

SOURCES = [
    ("github", "GitHub secret scanning"),
    ("traffic", "Requests through the gateway"),
    ("command", "manage.py report_leak"),
    ("admin", "Reported in the admin"),
]
OUTCOMES = [
    ("revoked", "Key revoked"),
    ("rotated", "Secret replaced"),
    ("ended", "Old secret ended"),
    ("dead", "Did not work any more"),
    ("suspended", "Key suspended for now"),
]


class Migration(migrations.Migration):
    dependencies = [("gateway", "0007_credentials"), ("accounts", "0005_key_life")]
    operations = [
        migrations.CreateModel(
            name="ScanningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "identifier",
                    models.CharField(
                        help_text="As GitHub lists it: key_identifier at /meta/public_keys/secret_scanning.",
                        max_length=100,
                        unique=True,
                    ),
                ),
                (
                    "public_key",
                    models.TextField(
                        help_text="From BEGIN to END PUBLIC KEY.",
                        max_length=1000,
                        validators=[gateway.models.leaks.validate_public_key],
                    ),
                ),
                (
                    "active",
                    models.BooleanField(default=True, help_text="Whether reports signed with it are believed."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"verbose_name": "scanning key", "ordering": ("-id",)},
        ),
        migrations.CreateModel(
            name="Leak",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=12)),
                ("source", models.CharField(choices=SOURCES, max_length=16)),
                ("place", models.CharField(blank=True, max_length=50)),
                ("url", models.CharField(blank=True, max_length=500, verbose_name="URL")),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("sightings", models.PositiveIntegerField(default=1)),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
                ("last_seen_at", models.DateTimeField()),
                ("outcome", models.CharField(blank=True, choices=OUTCOMES, max_length=16)),
                ("handled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.apikey"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "leaked key",
                "ordering": ("-id",),
                "indexes": [models.Index(condition=Q(handled_at=None), fields=["id"], name="leak_waits")],
                "constraints": [
                    models.UniqueConstraint(fields=("public_id", "source"), name="leak_once_each_source"),
                    models.CheckConstraint(
                        condition=Q(outcome__in=("", "suspended")) ^ Q(handled_at__isnull=False),
                        name="leak_handled_has_outcome",
                    ),
                ],
            },
        ),
    ]
