"""Seals the salts of pseudonyms under the root key.

Gateways of the version before would take a sealed salt for a plain one and make wrong pseudonyms: stop them first.
"""

from django.db import migrations, models

import accounts.models.tenants
from accounts import salts


def seal(apps, schema_editor):
    _rewrite(apps, salts.seal)


def unseal(apps, schema_editor):
    _rewrite(apps, salts.unseal)


def _rewrite(apps, change):
    Tenant = apps.get_model("accounts", "Tenant")
    for tenant in Tenant.objects.only("pseudonym_salt").iterator():
        tenant.pseudonym_salt = change(bytes(tenant.pseudonym_salt))
        tenant.save(update_fields=["pseudonym_salt"])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_pseudonyms")]
    operations = [
        migrations.RunPython(seal, unseal),
        migrations.AlterField(
            "tenant",
            "pseudonym_salt",
            models.BinaryField(default=accounts.models.tenants.sealed_salt, editable=False),
        ),
    ]
