"""Exports of the audit log."""

import uuid

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("compliance", "0009_audit_log"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "tenant_id",
                    models.BigIntegerField(blank=True, help_text="Whose log. Empty: the platform's.", null=True),
                ),
                (
                    "filters",
                    models.JSONField(blank=True, default=dict, help_text="Which events. Empty: the whole log."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Being made"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("deleted", "Deleted"),
                        ],
                        default="queued",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "problem",
                    models.TextField(
                        blank=True, editable=False, help_text="Why it failed, or was deleted before its time."
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("asked_by_kind", models.CharField(editable=False, max_length=16)),
                ("asked_by_id", models.CharField(editable=False, max_length=100)),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(editable=False, null=True)),
                (
                    "origin",
                    models.CharField(blank=True, editable=False, help_text="The name of the log.", max_length=200),
                ),
                (
                    "tree_size",
                    models.BigIntegerField(editable=False, help_text="How many events the log had.", null=True),
                ),
                (
                    "root",
                    models.CharField(
                        blank=True, editable=False, help_text="The root of the log then, in hex.", max_length=64
                    ),
                ),
                ("events", models.BigIntegerField(editable=False, help_text="How many are in the bundle.", null=True)),
                ("file_bytes", models.BigIntegerField(editable=False, null=True)),
                (
                    "sha256",
                    models.CharField(blank=True, editable=False, help_text="Of the file, in hex.", max_length=64),
                ),
                (
                    "subjects",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=27),
                        default=list,
                        editable=False,
                        help_text="Surrogates that it names. NULL: too many to list; take it that it names anyone.",
                        null=True,
                        size=None,
                    ),
                ),
                ("downloads", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "expires_on",
                    models.DateField(editable=False, help_text="On this day (UTC) the file is deleted.", null=True),
                ),
                ("deleted_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "audit export",
                "ordering": ("-id",),
                "permissions": (("download_any_auditexport", "Can download audit exports that others asked for"),),
                "indexes": [
                    models.Index(fields=["tenant_id", "-id"], name="audit_export_tenant"),
                    models.Index(
                        condition=models.Q(("state__in", ("queued", "running"))),
                        fields=["id"],
                        name="audit_export_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("deleted_at", None)), fields=["expires_on"], name="audit_export_due"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ready"), _negated=True),
                            models.Q(models.Q(("sha256", ""), _negated=True), ("expires_on__isnull", False)),
                            _connector="OR",
                        ),
                        name="audit_export_ready_has_file",
                    )
                ],
            },
        ),
    ]
