"""What tenants' own lists are made of: the words apart from what is said of them; and what is said where two collide."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_key_life"),
        ("gateway", "0010_guard_decisions"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuardDictionaryContent",
            fields=[
                (
                    "dictionary",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="content",
                        serialize=False,
                        to="gateway.guarddictionary",
                    ),
                ),
                ("data_key", models.BinaryField(help_text="Sealed under the root key.")),
                ("sealed", models.BinaryField(default=b"", help_text="Compiled.")),
                ("upload", models.BinaryField(help_text="What waits to be compiled.", null=True)),
                (
                    "upload_format",
                    models.CharField(
                        choices=[("text", "One entry a line"), ("csv", "CSV: the first column")],
                        default="text",
                        max_length=8,
                    ),
                ),
            ],
        ),
        migrations.AlterModelOptions(
            name="guarddictionary",
            options={
                "ordering": ("tenant_id", "name"),
                "verbose_name": "dictionary",
                "verbose_name_plural": "dictionaries",
            },
        ),
        migrations.AlterModelOptions(
            name="guardpattern",
            options={"ordering": ("tenant_id", "name"), "verbose_name": "pattern"},
        ),
        migrations.AlterModelOptions(
            name="guardrule",
            options={"ordering": ("policy_id", "guard"), "verbose_name": "guard"},
        ),
        migrations.RemoveField(
            model_name="guarddictionary",
            name="sealed",
        ),
        migrations.AddField(
            model_name="guarddictionary",
            name="problem",
            field=models.CharField(blank=True, editable=False, help_text="Of the last upload.", max_length=500),
        ),
        migrations.AddField(
            model_name="guarddictionary",
            name="waits",
            field=models.BooleanField(default=False, editable=False, help_text="An upload is to be compiled."),
        ),
        migrations.AlterConstraint(
            model_name="guarddictionary",
            name="guard_dictionary_once",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"),
                name="guard_dictionary_once",
                violation_error_message="The tenant has a dictionary of that name.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="guardpattern",
            name="guard_pattern_once",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"),
                name="guard_pattern_once",
                violation_error_message="The tenant has a pattern of that name.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="guardpolicy",
            name="guard_policy_once",
            constraint=models.UniqueConstraint(
                fields=("tenant", "application", "environment"),
                name="guard_policy_once",
                nulls_distinct=False,
                violation_error_message="There is a policy for these already; change that one.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="guardpolicy",
            name="guard_policy_application_has_tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(("application", None), models.Q(("tenant", None), _negated=True), _connector="OR"),
                name="guard_policy_application_has_tenant",
                violation_error_message="Choose the tenant, too, whose application it is.",
            ),
        ),
    ]
