"""Makes every change of a governed table raise a revision and notify the gateways."""

from django.db import migrations

from config.sqlfiles import run_sql

GOVERNED = (
    "accounts_tenant",
    "accounts_application",
    "accounts_apikey",
    "billing_subscription",
    "billing_budget",
    "billing_tier",
    "billing_price",
    "gateway_provider",
    "gateway_providercredential",
    "gateway_model",
    "gateway_deployment",
)

REVERSE = "".join(f"DROP TRIGGER policy ON {t}; DROP TRIGGER policy_truncate ON {t};\n" for t in GOVERNED) + (
    "DROP FUNCTION policy_truncated, policy_changed, policy_raise;"
)


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0001_initial"),
        ("accounts", "0001_initial"),
        ("billing", "0001_initial"),
    ]
    operations = [run_sql("gateway", "policy_revision", reverse=REVERSE)]
