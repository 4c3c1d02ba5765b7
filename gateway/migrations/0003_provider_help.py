"""What forms say about a provider's slug and its output limit field; the tables stay as they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_policy_revision")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="provider",
                    name="slug",
                    field=models.SlugField(
                        help_text="Prices refer to it; it cannot be changed later.", max_length=50, unique=True
                    ),
                ),
                migrations.AlterField(
                    model_name="provider",
                    name="output_limit_field",
                    field=models.CharField(
                        choices=[
                            ("max_tokens", "max_tokens"),
                            ("max_completion_tokens", "max_completion_tokens"),
                        ],
                        default="max_tokens",
                        help_text="The field that limits output tokens when the client named none. OpenAI's current "
                        "models want max_completion_tokens; most others max_tokens.",
                        max_length=30,
                    ),
                ),
            ]
        )
    ]
