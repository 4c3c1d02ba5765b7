"""Retention policies, legal holds and purge runs, with the platform's own policies."""

import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from config.sqlfiles import run_sql

FUNCTIONS = """
DROP TRIGGER hold_guard ON compliance_legalhold;
DROP FUNCTION hold_guard;
DROP FUNCTION is_held;
DROP FUNCTION hold_covers;
DROP FUNCTION content_expires_on;
DROP FUNCTION retention_days;
"""

# Class, days, days that the law requires, which law, why. Six months are 184 days where they are longest.
DEFAULTS = (
    ("content", 30, 0, "", "Long enough to look into a complaint; nobody needs it longer without saying so."),
    (
        "metadata",
        184,
        184,
        "EU AI Act, articles 19 and 26: logs for at least six months",
        "As long as the law requires.",
    ),
    (
        "audit",
        2190,
        184,
        "EU AI Act, articles 19 and 26: logs for at least six months",
        "Six years, as HIPAA requires.",
    ),
    (
        *("consent", 2190, 1095, "GDPR, article 7(1): consent must be shown; claims lapse after three years or later"),
        "Six years after it ended, until claims have lapsed.",
    ),
    # Two years are 731 days where they are longest.
    ("requests", 731, 731, "11 CCR § 7101: records of requests for 24 months", "As long as the law requires."),
    ("exports", 7, 0, "", "A week to fetch it."),
    ("backups", 7, 0, "", "What is erased is gone from backups within a week."),
)


def add_defaults(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    policies = apps.get_model("compliance", "RetentionPolicy").objects
    for data_class, days, floor_days, floor_basis, reason in DEFAULTS:
        policies.create(data_class=data_class, days=days, floor_days=floor_days, floor_basis=floor_basis, reason=reason)


class Migration(migrations.Migration):
    dependencies = [("compliance", "0005_transcripts")]
    operations = [
        migrations.CreateModel(
            name="PurgeRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("as_of", models.DateField(help_text="The day (UTC) that it counted from.")),
                ("plan_hash", models.CharField(max_length=64)),
                ("plan", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("done", "Done"),
                            ("stopped", "Stopped: something changed"),
                            ("failed", "Failed"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("removed", models.JSONField(default=dict, help_text="Rows by store and tenant, as far as it got.")),
                ("removed_rows", models.BigIntegerField(default=0)),
                ("kept_rows", models.BigIntegerField(default=0, help_text="Due, but kept by a legal hold.")),
                ("report", models.JSONField(help_text="Signed.", null=True)),
                ("error", models.TextField(blank=True)),
                ("started_by", models.CharField(max_length=120)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "title",
                    models.CharField(
                        help_text="As it is to be called in reports, without personal data.", max_length=100
                    ),
                ),
                (
                    "matter",
                    models.CharField(blank=True, help_text="The case's reference, e.g. of the court.", max_length=100),
                ),
                ("reason", models.TextField(help_text="Why it must be kept. No personal data.")),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("subject", "One person"),
                            ("tenant", "Everything of the tenant"),
                            ("key", "One API key"),
                            ("period", "A period"),
                            ("query", "A query"),
                        ],
                        max_length=16,
                    ),
                ),
                ("surrogate", models.CharField(blank=True, max_length=27, verbose_name="person")),
                ("api_key_id", models.BigIntegerField(blank=True, null=True, verbose_name="API key")),
                ("application_id", models.BigIntegerField(blank=True, null=True, verbose_name="application")),
                ("environment", models.CharField(blank=True, max_length=16)),
                ("model", models.CharField(blank=True, max_length=100)),
                ("outcome", models.CharField(blank=True, max_length=32)),
                ("since", models.DateTimeField(blank=True, help_text="Of requests from then on (UTC).", null=True)),
                ("until", models.DateTimeField(blank=True, help_text="Of requests before then (UTC).", null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waits for approval"),
                            ("active", "Active"),
                            ("release_requested", "Active, release requested"),
                            ("released", "Released"),
                            ("refused", "Refused"),
                        ],
                        default="requested",
                        editable=False,
                        max_length=20,
                    ),
                ),
                ("requested_by", models.CharField(editable=False, max_length=120)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                ("active_at", models.DateTimeField(editable=False, null=True)),
                (
                    "marked_at",
                    models.DateTimeField(
                        editable=False, help_text="When all that it covered had been set apart.", null=True
                    ),
                ),
                ("released_at", models.DateTimeField(editable=False, null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("active", "release_requested"))),
                        fields=["tenant"],
                        name="hold_in_force",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "subject"), models.Q(("surrogate", ""), _negated=True)),
                            models.Q(
                                ("api_key_id", None),
                                ("scope", "tenant"),
                                ("since", None),
                                ("surrogate", ""),
                                ("until", None),
                            ),
                            models.Q(("api_key_id__isnull", False), ("scope", "key")),
                            models.Q(
                                ("scope", "period"),
                                models.Q(("since__isnull", False), ("until__isnull", False), _connector="OR"),
                            ),
                            ("scope", "query"),
                            _connector="OR",
                        ),
                        name="hold_conditions_fit_scope",
                        violation_error_message="The conditions do not fit the scope.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("scope", "query"),
                            models.Q(("application_id", None), ("environment", ""), ("model", ""), ("outcome", "")),
                            _connector="OR",
                        ),
                        name="hold_query_only_for_queries",
                        violation_error_message="Application, environment, model and outcome belong to a query.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "query"), _negated=True),
                            ("application_id__isnull", False),
                            models.Q(("environment", ""), _negated=True),
                            models.Q(("model", ""), _negated=True),
                            models.Q(("outcome", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="hold_query_says_something",
                        violation_error_message="Say which application, environment, model or outcome.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("since", None), ("until", None), ("since__lt", models.F("until")), _connector="OR"
                        ),
                        name="hold_period_is_one",
                        violation_error_message="It ends before it begins.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "released"), ("released_at__isnull", True), _connector="XOR"),
                        name="hold_released_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RetentionPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "data_class",
                    models.CharField(
                        choices=[
                            ("content", "Conversations"),
                            ("metadata", "Storage decisions"),
                            ("audit", "Audit log"),
                            ("consent", "Consent records"),
                            ("requests", "Subject requests"),
                            ("exports", "Exports"),
                            ("backups", "Backups"),
                        ],
                        max_length=16,
                        verbose_name="class of data",
                    ),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        help_text="Whole days (UTC) after the day on which it was written; consents, requests: on which they ended.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="days kept",
                    ),
                ),
                (
                    "floor_days",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="It is kept at least so long, also from erasure. 0: no law says so.",
                        validators=[django.core.validators.MaxValueValidator(36500)],
                        verbose_name="days required by law",
                    ),
                ),
                (
                    "floor_basis",
                    models.CharField(
                        blank=True,
                        help_text="E.g. HIPAA, 45 CFR 164.316: six years.",
                        max_length=200,
                        verbose_name="which law",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        help_text="Why so long and no longer. It stands in purge reports.", max_length=500
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False, help_text="Counts the changes.")),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: of every tenant that has none of its own.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "retention policies",
                "ordering": (models.OrderBy(models.F("tenant"), nulls_first=True), "data_class"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "data_class"),
                        name="retention_once",
                        nulls_distinct=False,
                        violation_error_message="There is a policy for this class already; change that one.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("days__gte", models.F("floor_days"))),
                        name="retention_above_floor",
                        violation_error_message="The law requires more days than it would be kept.",
                    ),
                    models.CheckConstraint(condition=models.Q(("days__gte", 1)), name="retention_at_least_a_day"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("floor_days", 0), models.Q(("floor_basis", ""), _negated=True), _connector="OR"
                        ),
                        name="retention_floor_has_basis",
                        violation_error_message="Say which law requires it.",
                    ),
                ],
            },
        ),
        run_sql("compliance", "retention", reverse=FUNCTIONS),
        migrations.RunPython(add_defaults, migrations.RunPython.noop),
    ]
