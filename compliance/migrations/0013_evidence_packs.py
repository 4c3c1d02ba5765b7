"""Evidence for a period, and what is stated about controls."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("compliance", "0012_backups"),
    ]

    operations = [
        migrations.CreateModel(
            name="ControlStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("control", models.CharField(editable=False, max_length=50)),
                (
                    "role",
                    models.CharField(
                        help_text="In which you state this, e.g. Security officer.",
                        max_length=100,
                        verbose_name="your role",
                    ),
                ),
                (
                    "text",
                    models.TextField(
                        help_text="What is so, and where the evidence is. No personal data.", verbose_name="statement"
                    ),
                ),
                ("said_by", models.CharField(editable=False, max_length=120)),
                ("said_at", models.DateTimeField(auto_now_add=True)),
                (
                    "expires_on",
                    models.DateField(
                        help_text="UTC, at most a year from now. Then it has to be stated anew.",
                        verbose_name="good until",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["control", "-id"], name="control_statement_latest")],
            },
        ),
        migrations.CreateModel(
            name="EvidencePack",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "framework",
                    models.CharField(
                        choices=[
                            ("all", "All of them"),
                            ("soc2", "SOC 2"),
                            ("gdpr", "GDPR"),
                            ("hipaa", "HIPAA"),
                            ("ai_act", "EU AI Act"),
                        ],
                        default="all",
                        max_length=8,
                    ),
                ),
                ("first_day", models.DateField(help_text="UTC.", verbose_name="first day")),
                ("last_day", models.DateField(help_text="UTC; it is part of the period.", verbose_name="last day")),
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
                ("problem", models.TextField(blank=True, editable=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("asked_by_kind", models.CharField(editable=False, max_length=16)),
                ("asked_by_id", models.CharField(editable=False, max_length=100)),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(editable=False, null=True)),
                ("records", models.BigIntegerField(editable=False, null=True)),
                ("file_bytes", models.BigIntegerField(editable=False, null=True)),
                (
                    "sha256",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="Of the file, in hex.",
                        max_length=64,
                        verbose_name="SHA-256",
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
                "verbose_name": "evidence pack",
                "ordering": ("-id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("first_day"))),
                        name="evidence_pack_period",
                        violation_error_message="The last day is before the first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ready"), _negated=True),
                            models.Q(models.Q(("sha256", ""), _negated=True), ("expires_on__isnull", False)),
                            _connector="OR",
                        ),
                        name="evidence_pack_ready_has_file",
                    ),
                ],
            },
        ),
    ]
