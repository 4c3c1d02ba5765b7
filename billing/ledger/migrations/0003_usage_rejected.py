"""Where the mover sets aside what it cannot move."""

from django.db import migrations

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_models")]
    operations = [run_sql("billing.ledger", "usage_rejected", reverse="DROP TABLE usage_rejected")]
