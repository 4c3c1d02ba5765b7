"""Adjustments and reconciliations."""

import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER adjustment_no_truncate ON billing_adjustment;
DROP TRIGGER adjustment_no_change ON billing_adjustment;
DROP FUNCTION adjustment_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pseudonyms"),
        ("billing", "0005_rollups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.SlugField()),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("openai_usage", "OpenAI, usage (activity) export"),
                            ("openai_costs", "OpenAI, cost export"),
                            (
                                "generic",
                                "Columns date, model, requests, input_tokens, cached_tokens, output_tokens, cost",
                            ),
                        ],
                        max_length=16,
                    ),
                ),
                ("starts_on", models.DateField(verbose_name="first day (UTC)")),
                ("ends_on", models.DateField(verbose_name="last day (UTC)")),
                (
                    "tolerance_bp",
                    models.PositiveIntegerField(
                        default=50, help_text="100 is one per cent.", verbose_name="tolerance, hundredths of a per cent"
                    ),
                ),
                ("file_name", models.CharField(max_length=200)),
                ("file_sha256", models.CharField(max_length=64)),
                ("rows", models.PositiveIntegerField(help_text="Of the file, without its header.")),
                ("ignored_rows", models.PositiveIntegerField(default=0, help_text="Of days outside the span.")),
                ("ours_nano", models.BigIntegerField()),
                ("theirs_nano", models.BigIntegerField(blank=True, null=True)),
                (
                    "differing",
                    models.PositiveIntegerField(help_text="Lines beyond the tolerance, or of one side only."),
                ),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("-created_at",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_on__gte", models.F("starts_on"))),
                        name="reconciliation_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tolerance_bp__lte", 10000)), name="reconciliation_tolerance_is_a_share"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "request_id",
                    models.UUIDField(
                        blank=True,
                        help_text="The request it corrects; empty for one that is about none.",
                        null=True,
                        verbose_name="request",
                    ),
                ),
                (
                    "environment",
                    models.CharField(
                        blank=True,
                        choices=[("dev", "Dev"), ("staging", "Staging"), ("production", "Production")],
                        max_length=16,
                    ),
                ),
                ("model", models.CharField(blank=True, max_length=200)),
                ("end_user", models.CharField(blank=True, max_length=27, verbose_name="end user")),
                ("tag", models.CharField(blank=True, max_length=64)),
                ("tag_value", models.CharField(blank=True, max_length=64)),
                (
                    "amount_nano",
                    models.BigIntegerField(
                        help_text="Less than nothing: a credit.", verbose_name="amount, nano-dollars"
                    ),
                ),
                ("reason", models.CharField(max_length=500, validators=[django.core.validators.MinLengthValidator(3)])),
                ("actor_kind", models.CharField(editable=False, max_length=16)),
                ("actor_id", models.CharField(editable=False, max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        editable=False,
                        help_text="The periods it belongs to are those of this time.",
                    ),
                ),
                (
                    "charged",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        editable=False,
                        help_text="The ledger's ids of the budget meters that the request was charged to.",
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Not in the budgets yet"), ("applied", "Applied")],
                        default="pending",
                        editable=False,
                        max_length=8,
                    ),
                ),
                ("applied_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "meters",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        blank=True,
                        default=list,
                        editable=False,
                        help_text="The names of the budget meters that it has changed.",
                        size=None,
                    ),
                ),
                (
                    "api_key",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="accounts.apikey",
                        verbose_name="API key",
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="accounts.application",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
                "indexes": [
                    models.Index(fields=["tenant", "created_at"], name="adjustment_of_tenant"),
                    models.Index(
                        condition=models.Q(("request_id__isnull", False)),
                        fields=["request_id"],
                        name="adjustment_of_request",
                    ),
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["created_at"], name="adjustment_pending"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("amount_nano", 0), _negated=True),
                            ("amount_nano__gte", -100000000000000000),
                            ("amount_nano__lte", 100000000000000000),
                        ),
                        name="adjustment_of_something",
                        violation_error_message="Enter an amount that is not zero, and at most $100,000,000.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="adjustment_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "applied"), ("applied_at__isnull", True), _connector="XOR"),
                        name="adjustment_applied_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("tag", ""), ("tag_value", "")),
                            models.Q(models.Q(("tag", ""), _negated=True), models.Q(("tag_value", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="adjustment_tag_has_value",
                        violation_error_message="A tag needs its value, and a value its tag.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReconciliationLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                (
                    "model",
                    models.CharField(
                        blank=True, help_text="At the provider; empty: all models together.", max_length=200
                    ),
                ),
                (
                    "side",
                    models.CharField(
                        choices=[("both", "On both sides"), ("ours", "Only here"), ("theirs", "Only at the provider")],
                        max_length=8,
                    ),
                ),
                ("is_within", models.BooleanField(verbose_name="within tolerance")),
                ("ours_requests", models.BigIntegerField(null=True)),
                ("theirs_requests", models.BigIntegerField(null=True)),
                ("ours_input_tokens", models.BigIntegerField(null=True)),
                ("theirs_input_tokens", models.BigIntegerField(null=True)),
                ("ours_cached_tokens", models.BigIntegerField(null=True)),
                ("theirs_cached_tokens", models.BigIntegerField(null=True)),
                ("ours_output_tokens", models.BigIntegerField(null=True)),
                ("theirs_output_tokens", models.BigIntegerField(null=True)),
                ("ours_nano", models.BigIntegerField(null=True)),
                ("theirs_nano", models.BigIntegerField(null=True)),
                (
                    "reconciliation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="billing.reconciliation"
                    ),
                ),
            ],
            options={
                "ordering": ("reconciliation", "day", "model"),
                "constraints": [
                    models.UniqueConstraint(fields=("reconciliation", "day", "model"), name="reconciliation_line_once")
                ],
            },
        ),
        run_sql("billing", "adjustments", reverse=REVERSE),
    ]
