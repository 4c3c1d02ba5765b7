"""Announcements of other apps among the alerts; and when keys were last used, as far as usage tells, so that none counts
as unused because nobody kept count."""

from django.db import migrations, models
from django.db.models import Q

OF_RULES = [
    ("budget_threshold", "Budget used up to a level"),
    ("soft_budget_exceeded", "Soft budget exceeded"),
    ("projected_spend", "Budget likely to be exceeded"),
    ("daily_spend", "Spend of a day"),
    ("weekly_spend", "Spend of a week"),
    ("unusual_spend", "Unusual spend"),
    ("rate_limit_approached", "Rate limit approached"),
]
ANNOUNCED = [
    ("key_expiring", "API key about to be rotated, or to expire"),
    ("key_rotated", "API key rotated"),
    ("key_unused", "API keys that nobody uses"),
    ("key_leaked", "API key leaked"),
    ("credential_rotation_failed", "Rotation of a provider's credential failed"),
    ("audit_tampered", "Audit log altered"),
    ("audit_late", "Audit log behind"),
    ("audit_sink_failing", "Checkpoints of the audit log cannot be kept"),
    ("siem_failing", "SIEM gets no events"),
    ("backup_failed", "Backup failed"),
    ("backup_overdue", "No recent backup"),
    ("drill_failed", "Restore drill failed"),
    ("drill_overdue", "No recent restore drill"),
]
BY_ITSELF = [("endpoint_disabled", "Webhook endpoint disabled"), ("test", "Test")]

LAST_USES = """
INSERT INTO accounts_secretuse (public_id, key_id, last_used_at)
SELECT key.public_id, key.id, used.at
FROM (SELECT api_key_id, max(hour) AS at FROM billing_usagehour GROUP BY api_key_id) used
JOIN accounts_apikey key ON key.id = used.api_key_id
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_subjects"), ("accounts", "0005_key_life")]
    operations = [
        migrations.AlterField(
            "alert", "kind", models.CharField(choices=[*OF_RULES, *ANNOUNCED, *BY_ITSELF], max_length=32)
        ),
        migrations.AlterField("alertrule", "kind", models.CharField(choices=[*OF_RULES, *ANNOUNCED], max_length=32)),
        migrations.AddConstraint(
            "alert",
            models.UniqueConstraint(
                condition=Q(cleared_at__isnull=True, kind__in=tuple(kind for kind, _ in ANNOUNCED)),
                fields=("kind", "tenant", "subject"),
                name="alert_announced_once",
                nulls_distinct=False,
            ),
        ),
        migrations.RunSQL(LAST_USES, migrations.RunSQL.noop),
    ]
