"""What guards decided. The table is made by the SQL file; Django only reads it."""

from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP FUNCTION store_guard_decisions(jsonb);
DROP FUNCTION make_guard_decision_partition(date);
DROP TABLE guard_decision;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0009_guards")]
    operations = [
        run_sql("gateway", "guard_decisions", reverse=REVERSE),
        migrations.CreateModel(
            name="GuardDecision",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("request_id", models.UUIDField()),
                ("at", models.DateTimeField(help_text="When the request ended.")),
                ("tenant_id", models.BigIntegerField()),
                ("application_id", models.BigIntegerField()),
                ("api_key_id", models.BigIntegerField()),
                ("environment", models.TextField(blank=True)),
                (
                    "model",
                    models.TextField(blank=True, help_text="Empty: it was refused before a model was chosen."),
                ),
                ("surrogate", models.TextField(blank=True, help_text="Empty: the request named nobody.")),
                (
                    "policy_id",
                    models.BigIntegerField(default=0, help_text="0: the one that holds where no other does."),
                ),
                ("guard", models.TextField()),
                ("rule", models.TextField(blank=True)),
                (
                    "action",
                    models.SmallIntegerField(choices=[(1, "log"), (2, "flag"), (3, "redact"), (4, "block")]),
                ),
                ("direction", models.TextField(choices=[("prompt", "prompt"), ("answer", "answer")])),
                (
                    "role",
                    models.TextField(
                        blank=True,
                        choices=[
                            ("system", "system"),
                            ("user", "user"),
                            ("assistant", "assistant"),
                            ("tool", "tool"),
                            ("definition", "definition"),
                            ("metadata", "metadata"),
                        ],
                    ),
                ),
                ("count", models.IntegerField(default=1)),
                ("score", models.DecimalField(decimal_places=3, default=1, max_digits=4)),
                (
                    "error",
                    models.TextField(
                        blank=True,
                        choices=[("raised", "The guard failed"), ("budget", "No time was left")],
                        help_text="Why the guard could not look.",
                    ),
                ),
            ],
            options={
                "db_table": "guard_decision",
                "ordering": ("-at",),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
