"""Scopes, modes and overrides of budgets, limits of tiers, attribution tags, prices of service tiers."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pseudonyms"),
        ("billing", "0002_usage_table"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttributionTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        help_text="A key of metadata, such as feature.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-zA-Z][a-zA-Z0-9_.-]{0,63}\\Z",
                                "Use letters, digits, '_', '-' and '.', a letter first.",
                            )
                        ],
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("tenant", "key"),
            },
        ),
        migrations.CreateModel(
            name="BudgetOverride",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "limit_nano",
                    models.BigIntegerField(
                        validators=[django.core.validators.MinValueValidator(0)], verbose_name="limit, nano-dollars"
                    ),
                ),
                ("starts_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(help_text="From then on the budget's own limit holds again.")),
                ("reason", models.CharField(max_length=500, validators=[django.core.validators.MinLengthValidator(3)])),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("-starts_at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="TierLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("tenant", "The tenant as a whole"),
                            ("application", "Each application"),
                            ("key", "Each key"),
                            ("end_user", "Each end user"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("requests", "Requests"),
                            ("tokens", "Tokens, input and output together"),
                            ("input_tokens", "Input tokens"),
                            ("output_tokens", "Output tokens"),
                            ("concurrency", "Requests at once"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "per",
                    models.CharField(
                        blank=True,
                        choices=[("minute", "per minute"), ("hour", "per hour"), ("day", "per day")],
                        help_text="Empty for requests at once.",
                        max_length=8,
                    ),
                ),
                ("limit", models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
            ],
            options={
                "ordering": ("scope", "measure", "per"),
            },
        ),
        migrations.RemoveConstraint(
            model_name="price",
            name="price_once",
        ),
        migrations.RemoveConstraint(
            model_name="price",
            name="price_not_negative",
        ),
        migrations.AddField(
            model_name="budget",
            name="downgrade_to",
            field=models.CharField(
                blank=True, help_text="The model that answers instead once this budget is used up.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="each",
            field=models.CharField(
                blank=True,
                choices=[
                    ("application", "for each application"),
                    ("environment", "for each environment"),
                    ("api_key", "for each key"),
                    ("end_user", "for each end user"),
                    ("model", "for each model"),
                    ("tag", "for each value of the tag"),
                ],
                help_text="Empty: one limit for all matching requests together.",
                max_length=16,
                verbose_name="one limit",
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="end_user",
            field=models.CharField(
                blank=True,
                help_text="As the application names the person in safety_identifier or user; kept as a pseudonym.",
                max_length=27,
                verbose_name="end user",
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="ends_on",
            field=models.DateField(blank=True, help_text="Of fixed dates: the last day.", null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="environment",
            field=models.CharField(
                blank=True,
                choices=[("dev", "Dev"), ("staging", "Staging"), ("production", "Production")],
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="model",
            field=models.CharField(blank=True, help_text="A model's name, as clients ask for it.", max_length=100),
        ),
        migrations.AddField(
            model_name="budget",
            name="starts_on",
            field=models.DateField(blank=True, help_text="Of fixed dates: the first day.", null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="tag",
            field=models.CharField(blank=True, help_text="A metadata key that the tenant has declared.", max_length=64),
        ),
        migrations.AddField(
            model_name="budget",
            name="tag_value",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="price",
            name="reasoning_nano",
            field=models.BigIntegerField(
                blank=True,
                help_text="Per million tokens of hidden reasoning; empty: as other output.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
                verbose_name="reasoning, nano-dollars",
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="search_nano",
            field=models.BigIntegerField(
                blank=True,
                help_text="Per request with web_search_options; empty: such requests are refused.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
                verbose_name="web search, nano-dollars",
            ),
        ),
        migrations.AddField(
            model_name="price",
            name="service_tier",
            field=models.CharField(
                blank=True,
                help_text="Such as flex or priority; empty for the default. A service tier without a price is refused.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="tier",
            name="separate_meters_most",
            field=models.PositiveIntegerField(
                default=10000,
                help_text="At most, at once. Those beyond it share one limit per budget.",
                verbose_name="end users and tag values counted separately",
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="mode",
            field=models.CharField(
                choices=[
                    ("hard", "Hard: refuse what would exceed it"),
                    ("soft", "Soft: count and flag, never refuse"),
                    ("downgrade", "Downgrade: answer with a cheaper model"),
                ],
                default="hard",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="period",
            field=models.CharField(
                choices=[
                    ("day", "Day"),
                    ("week", "Week (Monday to Sunday)"),
                    ("month", "Month"),
                    ("dates", "Fixed dates"),
                    ("total", "Total, never starts anew"),
                ],
                default="month",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("ends_on__gte", models.F("starts_on")), ("period", "dates"), ("starts_on__isnull", False)
                    ),
                    models.Q(
                        models.Q(("period", "dates"), _negated=True),
                        ("ends_on__isnull", True),
                        ("starts_on__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="budget_dates_when_fixed",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mode", "downgrade"), models.Q(("downgrade_to", ""), _negated=True)),
                    models.Q(models.Q(("mode", "downgrade"), _negated=True), ("downgrade_to", "")),
                    _connector="OR",
                ),
                name="budget_downgrade_names_model",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("tag", ""), ("tag_value", ""), models.Q(("each", "tag"), _negated=True)),
                    models.Q(
                        models.Q(("tag", ""), _negated=True),
                        models.Q(
                            models.Q(
                                models.Q(("tag_value", ""), _negated=True), models.Q(("each", "tag"), _negated=True)
                            ),
                            models.Q(("each", "tag"), ("tag_value", "")),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="budget_tag_value_of_a_tag",
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.UniqueConstraint(
                fields=("provider", "model", "service_tier", "valid_from"), name="price_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cache_write_nano__gte", 0),
                    ("cached_input_nano__gte", 0),
                    ("input_nano__gte", 0),
                    ("output_nano__gte", 0),
                    ("request_nano__gte", 0),
                    models.Q(("reasoning_nano__isnull", True), ("reasoning_nano__gte", 0), _connector="OR"),
                    models.Q(("search_nano__isnull", True), ("search_nano__gte", 0), _connector="OR"),
                ),
                name="price_not_negative",
            ),
        ),
        migrations.AddField(
            model_name="attributiontag",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="attribution_tags", to="accounts.tenant"
            ),
        ),
        migrations.AddField(
            model_name="budgetoverride",
            name="budget",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="overrides", to="billing.budget"
            ),
        ),
        migrations.AddField(
            model_name="tierlimit",
            name="tier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="limits", to="billing.tier"
            ),
        ),
        migrations.AddConstraint(
            model_name="attributiontag",
            constraint=models.UniqueConstraint(
                fields=("tenant", "key"),
                name="attribution_tag_once",
                violation_error_message="The tenant has declared this tag already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit_nano__gte", 0)), name="override_limit_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="override_ends_after_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="override_has_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="tierlimit",
            constraint=models.UniqueConstraint(
                fields=("tier", "scope", "measure", "per"),
                name="tier_limit_once",
                violation_error_message="The tier has this limit already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierlimit",
            constraint=models.CheckConstraint(condition=models.Q(("limit__gt", 0)), name="tier_limit_positive"),
        ),
        migrations.AddConstraint(
            model_name="tierlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("measure", "concurrency"), ("per", "")),
                    models.Q(models.Q(("measure", "concurrency"), _negated=True), models.Q(("per", ""), _negated=True)),
                    _connector="OR",
                ),
                name="tier_limit_rate_has_window",
            ),
        ),
    ]
