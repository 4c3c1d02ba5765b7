"""A salt of its own for each tenant, under which the names of its end users become pseudonyms."""

from django.db import migrations, models

import accounts.models.tenants


def fill(apps, schema_editor):
    Tenant = apps.get_model("accounts", "Tenant")
    for tenant in Tenant.objects.filter(pseudonym_salt=None).iterator():
        tenant.pseudonym_salt = accounts.models.tenants.new_salt()
        tenant.save(update_fields=["pseudonym_salt"])


class Migration(migrations.Migration):
    # Rows of a table whose triggers wait for the transaction's end cannot be changed and altered in one.
    atomic = False
    dependencies = [("accounts", "0002_final_states")]
    operations = [
        migrations.AddField("tenant", "pseudonym_salt", models.BinaryField(null=True, editable=False)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            "tenant",
            "pseudonym_salt",
            models.BinaryField(default=accounts.models.tenants.new_salt, editable=False),
        ),
    ]
