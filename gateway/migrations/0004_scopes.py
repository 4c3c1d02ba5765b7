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
        migrations.AddField(
            "model",
            "image_tokens_most",
            models.PositiveIntegerField(
                default=6_000,
                help_text="The most input tokens of one image, held until the provider reports how many it was. GPT-4o "
                "mini takes up to 48,200.",
            ),
        ),
        migrations.AddField(
            "model",
            "context_tokens",
            models.PositiveIntegerField(
                null=True,
                blank=True,
                help_text="The most input tokens it takes: what is held for files, which cannot be counted. Empty: "
                "requests with files are refused.",
            ),
        ),
        run_sql("gateway", "policy_of_scopes", reverse=REVERSE),
    ]
