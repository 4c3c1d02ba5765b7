"""Makes the ledger of erasures append-only in the database."""

from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER erasure_ledger_no_truncate ON keys_erasureentry;
DROP TRIGGER erasure_ledger_no_change ON keys_erasureentry;
DROP FUNCTION erasure_ledger_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("keys", "0002_guards")]
    operations = [
        migrations.AddField(
            model_name="erasureentry",
            name="successor",
            field=models.CharField(
                blank=True, help_text="The surrogate that keeps it from then on.", max_length=27, default=""
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="erasureentry",
            name="erasure_id",
            field=models.UUIDField(unique=True),
        ),
        run_sql("compliance.keyring", "erasure_ledger", reverse=REVERSE),
    ]
