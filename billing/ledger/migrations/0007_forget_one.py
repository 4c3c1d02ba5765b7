"""Forgetting the meters of one person."""

from django.db import migrations

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_adjust")]
    operations = [run_sql("billing.ledger", "forget_one", reverse="DROP FUNCTION forget_meters_of;")]
