"""Models with hidden reasoning; changes of overrides, tier limits and tags reach the gateways."""

from django.db import migrations, models

from config.sqlfiles import run_sql

TABLES = ("billing_attributiontag", "billing_tierlimit", "billing_budgetoverride")
REVERSE = "".join(f"DROP TRIGGER policy ON {t}; DROP TRIGGER policy_truncate ON {t};\n" for t in TABLES) + (
    "DROP FUNCTION policy_of_budget_changed;"
)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_provider_help"), ("billing", "0003_scopes_and_prices")]
    operations = [
        migrations.AddField(
            "model",
            "hidden_reasoning",
            models.BooleanField(
                default=False,
                help_text="It writes reasoning that is billed and not shown: the whole output limit is held from the "
                "start.",
            ),
        ),
        run_sql("gateway", "policy_of_scopes", reverse=REVERSE),
    ]
