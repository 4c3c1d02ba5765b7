"""End user, tags, service tier and charged budgets in usage records."""

from django.db import migrations

from config.sqlfiles import run_sql

COLUMNS = ("served_model", "end_user", "tags", "service_tier", "over_budget", "charged")
REVERSE = "ALTER TABLE billing_usagerecord " + ", ".join(f"DROP COLUMN {column}" for column in COLUMNS)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_scopes_and_prices")]
    operations = [run_sql("billing", "usage_attribution", reverse=REVERSE)]
