"""What placeholders of earlier requests stand for, kept for a while where a guard policy says so."""

from django.db import migrations, models

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [
        ("compliance", "0001_initial"),
        ("gateway", "0011_guard_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuardPlaceholder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.BigIntegerField()),
                ("surrogate", models.TextField()),
                (
                    "code",
                    models.CharField(help_text="As in the placeholder; tells nothing without the key.", max_length=12),
                ),
                ("key_id", models.UUIDField(help_text="Of the person's key.")),
                (
                    "sealed",
                    models.BinaryField(help_text="Kind and value, encrypted: see compliance/envelope.py."),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "expires_at",
                    models.DateTimeField(db_index=True, help_text="From then on nothing is restored from it."),
                ),
            ],
            options={
                "verbose_name": "placeholder",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "surrogate", "code"), name="guard_placeholder_once"),
                    models.CheckConstraint(
                        condition=models.Q(("surrogate", ""), _negated=True), name="guard_placeholder_of_somebody"
                    ),
                ],
            },
        ),
        run_sql("gateway", "store_placeholders", reverse="DROP FUNCTION store_placeholders"),
    ]
