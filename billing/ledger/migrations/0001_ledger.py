"""The ledger: its tables, and the functions that alone write them."""

from django.db import migrations

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        run_sql("billing.ledger", "tables", reverse="DROP TABLE usage_outbox, hold, meter"),
        run_sql("billing.ledger", "periods", reverse="DROP FUNCTION period_bounds"),
        run_sql("billing.ledger", "admit", reverse="DROP FUNCTION admit"),
        run_sql("billing.ledger", "settle", reverse="DROP FUNCTION note, sweep, settle, settle_claimed"),
        run_sql("billing.ledger", "guards", reverse="SELECT 1"),
    ]
