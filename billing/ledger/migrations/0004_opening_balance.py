"""Lets a budget begin with what was used before it counted here."""

from django.db import migrations

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_usage_rejected")]
    operations = [run_sql("billing.ledger", "opening_balance", reverse="DROP FUNCTION opening_balance")]
