"""Erasures, their steps, and how far the ledger was replayed here."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER subject_stays_erased ON compliance_subject;
DROP FUNCTION subject_stays_erased;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pseudonyms"),
        ("compliance", "0007_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("surrogate", models.CharField(blank=True, help_text="Empty: the whole tenant.", max_length=27)),
                (
                    "successor",
                    models.CharField(
                        blank=True, help_text="The surrogate under which the person stays erased.", max_length=27
                    ),
                ),
                (
                    "request_id",
                    models.BigIntegerField(blank=True, help_text="The subject request that asked for it.", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("on_hold", "Waits for a legal hold"),
                            ("running", "Running"),
                            ("incomplete", "Incomplete"),
                            ("complete", "Complete"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("requested_by", models.CharField(max_length=120)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                ("fenced_at", models.DateTimeField(blank=True, null=True)),
                ("destroyed_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "told_at",
                    models.DateTimeField(
                        blank=True, help_text="When officers were told that it is incomplete.", null=True
                    ),
                ),
                (
                    "restricts",
                    models.BooleanField(
                        default=False,
                        help_text="Whether the person was restricted because it waits: that ends if it is cancelled.",
                    ),
                ),
                ("ledger_number", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("lookup", models.CharField(blank=True, editable=False, max_length=27)),
                (
                    "key_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=36), blank=True, default=list, size=None
                    ),
                ),
                (
                    "fingerprints",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        blank=True,
                        default=list,
                        help_text="In hex.",
                        size=None,
                    ),
                ),
                (
                    "canary",
                    models.BinaryField(
                        editable=False,
                        help_text="Sealed under the key before it was destroyed; it must not open any more.",
                        null=True,
                    ),
                ),
                ("problem", models.TextField(blank=True, help_text="Why it is not complete.")),
                (
                    "export",
                    models.JSONField(blank=True, default=dict, help_text="Of a tenant: the file that it was handed."),
                ),
                ("certificate", models.JSONField(blank=True, help_text="Signed.", null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("-requested_at",),
            },
        ),
        migrations.CreateModel(
            name="ErasureMark",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(default=0)),
                ("entry_hash", models.CharField(blank=True, help_text="Of that entry, in hex.", max_length=64)),
                ("replayed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="erasure_mark_is_one")],
            },
        ),
        migrations.CreateModel(
            name="ErasureStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "name",
                    models.CharField(help_text="As `destroy`; of a store its name, after `evict`.", max_length=100),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("erased", models.BigIntegerField(default=0, help_text="Rows, or files.")),
                (
                    "remains",
                    models.BigIntegerField(default=0, help_text="What of the person could still be read afterwards."),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "erasure",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="compliance.erasure"
                    ),
                ),
            ],
            options={
                "ordering": ("erasure", "position"),
            },
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(
                condition=models.Q(("state", "complete"), _negated=True),
                fields=["state", "requested_at"],
                name="erasure_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "cancelled"), _negated=True),
                fields=("tenant", "surrogate"),
                name="erasure_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(("destroyed_at__isnull", True), ("fenced_at__isnull", False), _connector="OR"),
                name="erasure_destroys_behind_the_fence",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "on_hold"), _negated=True), ("destroyed_at__isnull", True), _connector="OR"
                ),
                name="erasure_on_hold_destroys_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "cancelled"), _negated=True), ("fenced_at__isnull", True), _connector="OR"
                ),
                name="erasure_fenced_is_not_cancelled",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "complete"), _negated=True),
                    models.Q(("certificate__isnull", False), ("finished_at__isnull", False)),
                    _connector="OR",
                ),
                name="erasure_complete_is_certified",
            ),
        ),
        migrations.AddConstraint(
            model_name="erasurestep",
            constraint=models.UniqueConstraint(fields=("erasure", "name"), name="erasure_step_once"),
        ),
        run_sql("compliance", "erasure", reverse=REVERSE),
    ]
