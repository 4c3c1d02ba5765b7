"""Alert rules, alerts and their deliveries."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import billing.models.alerts


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pseudonyms"),
        ("billing", "0006_accounting"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("budget_threshold", "Budget used up to a level"),
                            ("soft_budget_exceeded", "Soft budget exceeded"),
                            ("projected_spend", "Budget likely to be exceeded"),
                            ("daily_spend", "Spend of a day"),
                            ("weekly_spend", "Spend of a week"),
                            ("unusual_spend", "Unusual spend"),
                            ("rate_limit_approached", "Rate limit approached"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "levels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(
                            validators=[
                                django.core.validators.MinValueValidator(1),
                                django.core.validators.MaxValueValidator(1000),
                            ]
                        ),
                        blank=True,
                        default=list,
                        help_text="Per cent of the limit, of budgets, projections and rate limits.",
                        size=None,
                    ),
                ),
                (
                    "amount_nano",
                    models.BigIntegerField(
                        blank=True,
                        help_text="Of a day's or a week's spend: the least that is told. Of unusual spend: the least "
                        "excess over the usual that is told, $1 if empty.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="amount, nano-dollars",
                    ),
                ),
                (
                    "recipients",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.EmailField(max_length=254),
                        blank=True,
                        default=list,
                        help_text="Addresses that get e-mail.",
                        size=None,
                    ),
                ),
                (
                    "notify_owners",
                    models.BooleanField(
                        default=False,
                        help_text="Members of the tenant with the role owner and an address.",
                        verbose_name="also the tenant's owners",
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                (
                    "muted_until",
                    models.DateTimeField(
                        blank=True, help_text="Until then alerts are logged, and nobody is told.", null=True
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: for every tenant that has no rule of this kind, not even an inactive one.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_rules",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "alert rule",
                "ordering": ("tenant__slug", "kind", "name", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("budget_threshold", "Budget used up to a level"),
                            ("soft_budget_exceeded", "Soft budget exceeded"),
                            ("projected_spend", "Budget likely to be exceeded"),
                            ("daily_spend", "Spend of a day"),
                            ("weekly_spend", "Spend of a week"),
                            ("unusual_spend", "Unusual spend"),
                            ("rate_limit_approached", "Rate limit approached"),
                            ("endpoint_disabled", "Webhook endpoint disabled"),
                            ("test", "Test"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "subject",
                    models.CharField(help_text="What it is about: the name of a meter, or of a spend.", max_length=200),
                ),
                ("label", models.CharField(help_text="The same in words, as it was called then.", max_length=200)),
                ("period_start", models.DateTimeField()),
                ("level", models.PositiveIntegerField(default=100, help_text="Per cent.")),
                ("facts", models.JSONField(default=dict, help_text="The values at that time.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("cleared_at", models.DateTimeField(help_text="When it was below the level again.", null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alerts",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="alerts",
                        to="billing.alertrule",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "url",
                    models.CharField(
                        help_text="It takes POSTs.",
                        max_length=500,
                        validators=[django.core.validators.URLValidator(schemes=["http", "https"])],
                        verbose_name="URL",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("paused", "Paused"), ("disabled", "Disabled after failures")],
                        default="active",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                ("disabled_because", models.CharField(blank=True, editable=False, max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: the platform's own, which any rule may use.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhook_endpoints",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook endpoint",
                "ordering": ("tenant__slug", "name", "pk"),
            },
        ),
        migrations.AddField(
            model_name="alertrule",
            name="endpoints",
            field=models.ManyToManyField(
                blank=True, related_name="rules", to="billing.webhookendpoint", verbose_name="webhook endpoints"
            ),
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=[("email", "E-mail"), ("webhook", "Webhook")], max_length=8)),
                (
                    "target",
                    models.CharField(help_text="The address, or the endpoint's URL at that time.", max_length=500),
                ),
                (
                    "message_id",
                    models.CharField(default=billing.models.alerts.new_message_id, max_length=40, unique=True),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "On its way"), ("delivered", "Delivered"), ("failed", "Given up")],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                (
                    "leased_until",
                    models.DateTimeField(help_text="Of an attempt under way: when it counts as lost.", null=True),
                ),
                ("response_code", models.PositiveSmallIntegerField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="billing.alert"
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="deliveries",
                        to="billing.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="WebhookSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sealed", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "ends_at",
                    models.DateTimeField(
                        editable=False, help_text="Of a replaced secret: until when it signs, too.", null=True
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secrets",
                        to="billing.webhookendpoint",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["tenant", "-created_at"], name="alert_tenant_newest"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("cleared_at__isnull", True)),
                fields=("rule", "tenant", "subject", "period_start", "level"),
                name="alert_once_per_crossing",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"),
                name="webhook_endpoint_name_once",
                nulls_distinct=False,
                violation_error_message="There is an endpoint of this name already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"),
                name="alert_rule_name_once",
                nulls_distinct=False,
                violation_error_message="There is a rule of this name already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_nano__gt", 0),
                    models.Q(
                        ("amount_nano__isnull", True),
                        models.Q(("kind__in", ("daily_spend", "weekly_spend")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="alert_rule_amount",
            ),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("status", "pending")), fields=["next_attempt_at"], name="alert_delivery_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.UniqueConstraint(
                fields=("alert", "channel", "target", "endpoint"), name="alert_delivery_once", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("status", "pending"), ("finished_at__isnull", False), _connector="XOR"),
                name="alert_delivery_finished_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhooksecret",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ends_at__isnull", True)), fields=("endpoint",), name="webhook_secret_one_current"
            ),
        ),
    ]
