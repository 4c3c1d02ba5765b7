"""Versions and sources of providers' credentials. What is stored becomes the first version, in use."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from config.sqlfiles import run_sql
from gateway.addresses import address_of

REVERSE = """
DROP TRIGGER policy ON gateway_providercredential;
DROP TRIGGER policy_insert ON gateway_providercredential;
DROP TRIGGER policy_delete ON gateway_providercredential;
CREATE TRIGGER policy AFTER INSERT OR UPDATE OR DELETE ON gateway_providercredential
    FOR EACH ROW EXECUTE FUNCTION policy_changed();
"""
SECRETS_REVERSE = """
DROP TRIGGER policy ON accounts_retiringsecret;
DROP TRIGGER policy_truncate ON accounts_retiringsecret;
DROP TRIGGER policy ON accounts_secretclaim;
DROP TRIGGER policy_truncate ON accounts_secretclaim;
"""
ORIGINS = [
    ("environment", "Environment variable"),
    ("file", "File"),
    ("aws", "AWS Secrets Manager"),
    ("vault", "HashiCorp Vault"),
]
STATES = [("pending", "Pending"), ("current", "In use"), ("retired", "Retired"), ("refused", "Refused")]
OUTCOMES = [
    ("good", "The provider accepts it"),
    ("bad", "The provider refuses it"),
    ("unknown", "The provider did not say"),
]


def fill_addresses(apps, schema_editor):  # type: ignore[no-untyped-def]
    """What is stored was meant for where its provider is."""
    for row in apps.get_model("gateway", "ProviderCredential").objects.select_related("provider"):
        row.address = address_of(row.provider.base_url)
        row.save(update_fields=("address",))


def retire_first(apps, schema_editor):  # type: ignore[no-untyped-def]
    """What the table before has no room for: all versions but the one in use."""
    apps.get_model("gateway", "ProviderCredential").objects.exclude(state="current").delete()


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_subject_notices"), ("accounts", "0005_key_life")]
    operations = [
        run_sql("gateway", "policy_of_secrets", reverse=SECRETS_REVERSE),
        migrations.CreateModel(
            name="CredentialSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=ORIGINS, max_length=16)),
                ("reference", models.CharField(max_length=300)),
                ("looked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("problem", models.CharField(blank=True, editable=False, max_length=300)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "provider",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="source",
                        to="gateway.provider",
                    ),
                ),
            ],
        ),
        migrations.RenameField("providercredential", "changed_at", "created_at"),
        migrations.AlterField("providercredential", "created_at", models.DateTimeField(auto_now_add=True)),
        migrations.AlterField(
            "providercredential",
            "provider",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="credentials", to="gateway.provider"
            ),
        ),
        migrations.AlterField("providercredential", "sealed", models.BinaryField(editable=False, null=True)),
        migrations.AddField("providercredential", "version", models.PositiveIntegerField(default=1, editable=False)),
        migrations.AddField(
            "providercredential",
            "state",
            models.CharField(choices=STATES, default="current", editable=False, max_length=16),
        ),
        migrations.AlterField(
            "providercredential",
            "state",
            models.CharField(choices=STATES, default="pending", editable=False, max_length=16),
        ),
        migrations.AddField(
            "providercredential",
            "origin",
            models.CharField(
                choices=[("typed", "Typed in here"), *ORIGINS], default="typed", editable=False, max_length=16
            ),
        ),
        migrations.AddField(
            "providercredential",
            "address",
            models.CharField(
                default="",
                editable=False,
                help_text="Scheme, host and port of the provider that it was meant for.",
                max_length=300,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "providercredential",
            "outcome",
            models.CharField(blank=True, choices=OUTCOMES, editable=False, max_length=16, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            "providercredential",
            "answered",
            models.CharField(
                blank=True, editable=False, help_text="What the provider answered.", max_length=100, default=""
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "providercredential", "tested_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AddField("providercredential", "tests", models.PositiveIntegerField(default=0, editable=False)),
        migrations.AddField(
            "providercredential", "ended_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AddField(
            "providercredential", "destroyed_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AlterModelOptions(
            "providercredential", {"ordering": ("provider", "-version"), "verbose_name": "credential"}
        ),
        migrations.AddConstraint(
            "providercredential",
            models.UniqueConstraint(fields=("provider", "version"), name="credential_version_once"),
        ),
        migrations.AddConstraint(
            "providercredential",
            models.UniqueConstraint(condition=Q(state="current"), fields=("provider",), name="credential_one_current"),
        ),
        migrations.AddConstraint(
            "providercredential",
            models.UniqueConstraint(condition=Q(state="pending"), fields=("provider",), name="credential_one_pending"),
        ),
        migrations.AddConstraint(
            "providercredential",
            models.CheckConstraint(
                name="credential_gone_when_destroyed",
                condition=Q(sealed__isnull=True, destroyed_at__isnull=False)
                | Q(sealed__isnull=False, destroyed_at__isnull=True),
            ),
        ),
        migrations.AddConstraint(
            "providercredential",
            models.CheckConstraint(
                name="credential_in_use_is_there",
                condition=Q(state__in=("retired", "refused"), ended_at__isnull=False)
                | Q(state__in=("pending", "current"), ended_at__isnull=True, destroyed_at__isnull=True),
            ),
        ),
        run_sql("gateway", "policy_of_credentials", reverse=REVERSE),
        migrations.RunPython(fill_addresses, retire_first),
    ]
