"""Transcripts and the decisions about them. The tables are made by the SQL files; Django only reads them."""

import django.contrib.postgres.fields
from django.db import migrations, models

from config.sqlfiles import run_sql

TABLES = """
DROP FUNCTION make_decision_partition(date);
DROP TABLE content_decision;
DROP FUNCTION make_transcript_partition(date);
DROP TABLE transcript;
"""

FUNCTIONS = """
DROP FUNCTION store_transcripts;
DROP FUNCTION content_also_for;
DROP FUNCTION content_refusal;
"""


class Migration(migrations.Migration):
    dependencies = [("compliance", "0004_purposes")]
    operations = [
        run_sql("compliance", "transcripts", reverse=TABLES),
        run_sql("compliance", "store_transcripts", reverse=FUNCTIONS),
        migrations.CreateModel(
            name="ContentDecision",
            fields=[
                ("request_id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.BigIntegerField()),
                ("surrogate", models.TextField(blank=True, help_text="Empty: the request named nobody.")),
                ("at", models.DateTimeField()),
                ("stored", models.BooleanField()),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        choices=[
                            ("no_subject", "The request named nobody"),
                            ("no_consent", "No consent"),
                            ("refused", "Consent was refused"),
                            ("withdrawn", "Consent was withdrawn"),
                            ("expired", "Consent has expired"),
                            ("notice_changed", "The notice has changed since"),
                            ("subject_erased", "The person is erased"),
                            ("restricted", "The person's data is restricted"),
                            ("redaction_unavailable", "Nothing can redact it"),
                            ("key_unavailable", "The keys could not be reached"),
                            ("too_large", "Too large"),
                            ("behind", "Storing could not keep up"),
                            ("unavailable", "The database could not be reached"),
                            ("failed", "Storing failed"),
                            ("not_wanted", "The policy changed meanwhile"),
                        ],
                        help_text="Why it was not stored.",
                    ),
                ),
            ],
            options={
                "db_table": "content_decision",
                "ordering": ("-at",),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Transcript",
            fields=[
                ("id", models.UUIDField(help_text="The request's.", primary_key=True, serialize=False)),
                ("tenant_id", models.BigIntegerField()),
                ("surrogate", models.TextField()),
                ("application_id", models.BigIntegerField(null=True)),
                ("api_key_id", models.BigIntegerField(null=True)),
                ("environment", models.TextField(blank=True)),
                ("model", models.TextField(blank=True, help_text="As the client named it.")),
                (
                    "outcome",
                    models.TextField(
                        help_text="As in the usage record; the answer is partial unless it was completed."
                    ),
                ),
                ("streamed", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("expires_on", models.DateField(help_text="On that day it is due, unless it is held.")),
                ("held", models.BooleanField(default=False, help_text="Under a legal hold.")),
                ("purpose", models.TextField(default="store_conversations")),
                (
                    "also_for",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="Other purposes that the person allowed when it was stored.",
                        size=None,
                    ),
                ),
                ("key_id", models.UUIDField(help_text="Of the person's key.")),
                ("sealed", models.BinaryField(help_text="Encrypted: see compliance/envelope.py.")),
                ("plain_bytes", models.IntegerField()),
            ],
            options={
                "verbose_name": "conversation",
                "db_table": "transcript",
                "ordering": ("-created_at",),
                "managed": False,
                "default_permissions": ("view",),
                "permissions": (
                    ("read_transcript", "Can read transcripts"),
                    (
                        "read_restricted_transcript",
                        "Can read transcripts that are restricted or under a legal hold",
                    ),
                ),
            },
        ),
    ]
