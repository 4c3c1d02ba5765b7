"""What is flagged is put up for review and counted; gateways are told of people who are blocked."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from config.sqlfiles import run_sql

UNSTORED = """
DROP TRIGGER stored ON guard_decision;
DROP FUNCTION guard_decisions_stored();
"""
NOT_TOLD = """
DROP TRIGGER notice_of_change ON compliance_subject;
CREATE TRIGGER notice_of_change AFTER UPDATE ON compliance_subject FOR EACH ROW
    WHEN (OLD.lookup IS NOT NULL
          AND (NEW.lookup IS DISTINCT FROM OLD.lookup OR NEW.state <> OLD.state OR NEW.surrogate <> OLD.surrogate))
    EXECUTE FUNCTION subject_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("compliance", "0014_blocked_subjects"),
        ("gateway", "0013_placeholders"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuardCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("guard", models.TextField()),
                ("action", models.SmallIntegerField(choices=[(1, "log"), (2, "flag"), (3, "redact"), (4, "block")])),
                ("requests", models.BigIntegerField(default=0)),
                ("findings", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ("-day", "tenant_id", "guard", "action"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("day", "tenant_id", "guard", "action"), name="guard_count_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReviewItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("request_id", models.UUIDField(unique=True)),
                ("tenant_id", models.BigIntegerField()),
                ("application_id", models.BigIntegerField()),
                ("api_key_id", models.BigIntegerField()),
                ("environment", models.TextField(blank=True)),
                ("model", models.TextField(blank=True)),
                ("at", models.DateTimeField(help_text="When the request ended.")),
                (
                    "guards",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                (
                    "rules",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="What they found, as guard.rule.",
                        size=None,
                    ),
                ),
                ("score", models.FloatField(default=0, help_text="The highest.")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("confirmed", "Confirmed"), ("dismissed", "Dismissed")],
                        default="open",
                        max_length=12,
                    ),
                ),
                ("decided_by", models.CharField(blank=True, max_length=120)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("key_blocked_at", models.DateTimeField(blank=True, null=True)),
                ("person_blocked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "notes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Of reviewers, each with `by`, `at` and `text`; only added to.",
                    ),
                ),
            ],
            options={
                "verbose_name": "review",
                "ordering": ("-at", "-id"),
                "default_permissions": ("view", "change"),
                "permissions": (("block_reviewitem", "Can block the key or the person of a review"),),
                "indexes": [
                    models.Index(fields=["state", "-at"], name="review_by_state"),
                    models.Index(fields=["tenant_id", "-at"], name="review_of_tenant"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at", None), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("decided_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="review_decided_or_open",
                    )
                ],
            },
        ),
        run_sql("gateway", "reviews", reverse=UNSTORED),
        run_sql("gateway", "subject_blocked", reverse=NOT_TOLD),
    ]
