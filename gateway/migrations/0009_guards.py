"""Guard policies, with what of them is a tenant's own."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER policy ON gateway_guardpolicy;
DROP TRIGGER policy ON gateway_guardrule;
DROP TRIGGER policy ON gateway_guarddictionary;
DROP TRIGGER policy ON gateway_guardpattern;
DROP TRIGGER policy_truncate ON gateway_guardpolicy;
DROP TRIGGER policy_truncate ON gateway_guardrule;
DROP TRIGGER policy_truncate ON gateway_guarddictionary;
DROP TRIGGER policy_truncate ON gateway_guardpattern;
DROP FUNCTION policy_of_guard_changed;
DROP FUNCTION policy_of_guards_changed;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_key_life"),
        ("gateway", "0008_leaks"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuardPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "environment",
                    models.CharField(
                        blank=True,
                        choices=[("dev", "Dev"), ("staging", "Staging"), ("production", "Production")],
                        help_text="Empty: all.",
                        max_length=16,
                    ),
                ),
                (
                    "active",
                    models.BooleanField(
                        default=True, help_text="An inactive one is passed over for the next wider one."
                    ),
                ),
                (
                    "budget_ms",
                    models.PositiveIntegerField(
                        default=1000,
                        help_text="Milliseconds of processor time for all guards of a request, and again of its answer.",
                        validators=[
                            django.core.validators.MinValueValidator(10),
                            django.core.validators.MaxValueValidator(10000),
                        ],
                        verbose_name="time budget",
                    ),
                ),
                (
                    "restore_placeholders",
                    models.BooleanField(
                        default=True,
                        help_text="Whether the client gets its own values back where the answer holds placeholders.",
                    ),
                ),
                (
                    "placeholder_ttl_hours",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Hours in which later requests of the conversation can restore them; 0: not beyond the request.",
                        validators=[django.core.validators.MaxValueValidator(8760)],
                        verbose_name="placeholders kept",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "application",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all of them.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.application",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: the platform's own.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "guard policy",
                "verbose_name_plural": "guard policies",
                "ordering": ("tenant", "application", "environment"),
            },
        ),
        migrations.CreateModel(
            name="GuardRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("guard", models.CharField(help_text="A guard's name, as in guards/registry.py.", max_length=40)),
                (
                    "action",
                    models.SmallIntegerField(
                        choices=[(0, "off"), (1, "log"), (2, "flag for review"), (3, "redact"), (4, "block")], default=1
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[("both", "prompts and answers"), ("prompt", "prompts"), ("answer", "answers")],
                        default="both",
                        max_length=10,
                    ),
                ),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("system", "system"),
                                ("user", "user"),
                                ("assistant", "assistant"),
                                ("tool", "tool"),
                                ("definition", "definition"),
                                ("metadata", "metadata"),
                            ],
                            max_length=12,
                        ),
                        blank=True,
                        default=list,
                        help_text="Whose texts it looks at; none: everybody's.",
                        size=None,
                    ),
                ),
                (
                    "rules",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="Which of its rules count; none: all.",
                        size=None,
                    ),
                ),
                (
                    "threshold",
                    models.FloatField(
                        default=0.5,
                        help_text="How sure it must be, from 0 to 1.",
                        validators=[
                            django.core.validators.MinValueValidator(0.0),
                            django.core.validators.MaxValueValidator(1.0),
                        ],
                    ),
                ),
                (
                    "on_error",
                    models.CharField(
                        choices=[("block", "block"), ("allow", "let it through")],
                        default="block",
                        help_text="Or has no time left.",
                        max_length=10,
                        verbose_name="when it fails",
                    ),
                ),
                (
                    "replacement",
                    models.CharField(
                        choices=[
                            ("label", "label: [EMAIL]"),
                            ("mask", "mask: ************1111"),
                            ("hash", "hash: [EMAIL:3f9a…]"),
                            ("placeholder", "placeholder that can be restored"),
                        ],
                        default="label",
                        max_length=12,
                    ),
                ),
                (
                    "settings",
                    models.JSONField(blank=True, default=dict, help_text="What only this guard knows; see its help."),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rules", to="gateway.guardpolicy"
                    ),
                ),
            ],
            options={
                "verbose_name": "guard",
                "ordering": ("policy", "guard"),
            },
        ),
        migrations.CreateModel(
            name="GuardDictionary",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Findings carry it: do not name a secret here.", max_length=60)),
                (
                    "prefixes",
                    models.BooleanField(
                        default=False, help_text="Also words that begin with an entry.", verbose_name="match beginnings"
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                ("entries", models.PositiveIntegerField(default=0, editable=False)),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("sealed", models.BinaryField(default=b"")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "dictionary",
                "verbose_name_plural": "dictionaries",
                "ordering": ("tenant", "name"),
                "constraints": [models.UniqueConstraint(fields=("tenant", "name"), name="guard_dictionary_once")],
            },
        ),
        migrations.CreateModel(
            name="GuardPattern",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="What stands for a match: letters, digits and _, as EMPLOYEE_ID.", max_length=40
                    ),
                ),
                (
                    "expression",
                    models.CharField(help_text="As in Python, without backreferences and look-around.", max_length=500),
                ),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "pattern",
                "ordering": ("tenant", "name"),
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name"), name="guard_pattern_once"),
                    models.CheckConstraint(
                        condition=models.Q(("expression", ""), _negated=True), name="guard_pattern_not_empty"
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="guardpolicy",
            constraint=models.UniqueConstraint(
                fields=("tenant", "application", "environment"), name="guard_policy_once", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="guardpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("application", None), models.Q(("tenant", None), _negated=True), _connector="OR"),
                name="guard_policy_application_has_tenant",
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.UniqueConstraint(fields=("policy", "guard"), name="guard_rule_once"),
        ),
        run_sql("gateway", "policy_of_guards", reverse=REVERSE),
    ]
