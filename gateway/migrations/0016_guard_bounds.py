"""The database holds guard policies to what gateways can read, whoever writes them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0015_guard_budget"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="guardpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("environment__in", ("", "dev", "staging", "production"))),
                name="guard_policy_environment_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="guardpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("budget_ms__range", (10, 10000))), name="guard_policy_budget_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("placeholder_ttl_hours__lte", 8760)), name="guard_policy_ttl_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("action__in", [0, 1, 2, 3, 4])), name="guard_rule_action_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("direction__in", ("both", "prompt", "answer"))), name="guard_rule_direction_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("roles__contained_by", ["system", "user", "assistant", "tool", "definition", "metadata"])
                ),
                name="guard_rule_roles_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("threshold__gte", 0), ("threshold__lte", 1)), name="guard_rule_threshold_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("on_error__in", ["block", "allow"])), name="guard_rule_on_error_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("replacement__in", ["label", "mask", "hash", "placeholder"])),
                name="guard_rule_replacement_known",
            ),
        ),
    ]
