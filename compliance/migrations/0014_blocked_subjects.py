"""People whose requests are refused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compliance", "0013_evidence_packs")]
    operations = [
        migrations.AddField(
            model_name="subject",
            name="blocked_at",
            field=models.DateTimeField(editable=False, help_text="Since then their requests are refused.", null=True),
        ),
        migrations.AlterModelOptions(
            name="subject",
            options={
                "permissions": (
                    ("identify_subject", "Can see who is behind a surrogate"),
                    ("reenrol_subject", "Can enrol an erased person again"),
                    ("unrestrict_subject", "Can end the restriction of a person"),
                    ("block_subject", "Can have a person's requests refused"),
                )
            },
        ),
    ]
