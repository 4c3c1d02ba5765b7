"""Adjustments of budgets, and what `used` holds beyond usage records."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP FUNCTION adjust, opening_balance;
DROP TRIGGER meter_counts_from ON meter;
DROP FUNCTION meter_counts_from;
DROP TABLE adjusted, meter_entry;
ALTER TABLE meter DROP COLUMN counts_from;
ALTER TABLE meter ADD CONSTRAINT meter_used_check CHECK (used >= 0) NOT VALID;
""" + files("billing.ledger").joinpath("sql", "opening_balance.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_admit_many")]
    operations = [run_sql("billing.ledger", "adjust", reverse=REVERSE)]
