"""Admissions by sets of meters, input and output rates apart, fixed dates, separate meters, holds that are extended."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

DROP_OLD = """
DROP FUNCTION admit(
    bigint[], text[], smallint[], bigint[], bigint[], text[], text[], boolean[], uuid[], bigint[], bigint[], bigint[],
    bigint[], jsonb, bigint[], bigint[]);
DROP FUNCTION sweep, settle, settle_claimed, note;
"""
OLD = "".join(
    files("billing.ledger").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8") for name in ("admit", "settle")
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_opening_balance")]
    operations = [
        migrations.RunSQL(DROP_OLD, OLD),
        run_sql(
            "billing.ledger",
            "admission_tables",
            reverse="DROP INDEX meter_separate; ALTER TABLE hold DROP COLUMN output_tokens, DROP COLUMN windows_ns",
        ),
        run_sql("billing.ledger", "fixed_dates", reverse=""),  # it still knows all that the one before knew
        run_sql("billing.ledger", "admission", reverse="DROP FUNCTION admit"),
        run_sql("billing.ledger", "settlement", reverse="DROP FUNCTION sweep, settle, settle_claimed, note"),
        run_sql("billing.ledger", "extension", reverse="DROP FUNCTION extend"),
        run_sql("billing.ledger", "forget", reverse="DROP FUNCTION forget_meters"),
    ]
