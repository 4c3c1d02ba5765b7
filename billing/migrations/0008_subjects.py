"""Gives the end users of usage, budgets and adjustments their rows in the table of people.

Records that a worker has not moved out of the ledger yet are not seen: stop the gateways and let it finish first.
"""

from django.db import migrations, models

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_alerts"), ("accounts", "0004_sealed_salts"), ("compliance", "0003_consent")]
    operations = [
        run_sql("billing", "subjects", reverse=migrations.RunSQL.noop),
        migrations.AlterField(
            "budget",
            "end_user",
            models.CharField(
                max_length=27,
                blank=True,
                verbose_name="end user",
                help_text="As the application names the person in safety_identifier or user; kept as a surrogate.",
            ),
        ),
    ]
