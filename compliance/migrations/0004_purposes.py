"""The purposes that everybody has, and what holds for consent whoever writes."""

from typing import Any

from django.db import migrations, models

from config.sqlfiles import run_sql

EVERYBODYS = (
    ("store_conversations", "Store conversations", "Prompts and answers are kept, encrypted.", False),
    ("training", "Training", "Conversations are used to train or fine-tune models.", True),
    ("analytics", "Analytics", "Conversations are analysed, for instance for quality and topics.", True),
)

REVERSE = """
DROP TRIGGER record_is_history ON compliance_consentrecord;
DROP FUNCTION consent_record_is_history;
ALTER TABLE compliance_consentnotice DROP CONSTRAINT notice_hash_of_text;
DROP TRIGGER notice_is_fixed ON compliance_consentnotice;
DROP FUNCTION consent_notice_is_fixed;
DROP FUNCTION consent_allows;
"""


def add_purposes(apps: Any, schema_editor: Any) -> None:
    Purpose = apps.get_model("compliance", "Purpose")
    for slug, name, description, honours_gpc in EVERYBODYS:
        Purpose.objects.create(slug=slug, name=name, description=description, honours_gpc=honours_gpc)


def remove_purposes(apps: Any, schema_editor: Any) -> None:
    apps.get_model("compliance", "Purpose").objects.filter(tenant=None).delete()


class Migration(migrations.Migration):
    dependencies = [("compliance", "0003_consent")]
    operations = [
        migrations.AddField(
            "contentpolicy",
            "on_withdrawal",
            models.CharField(
                choices=[("erase", "Erase what was stored"), ("keep", "Keep it until it is due")],
                default="erase",
                help_text="What happens to what was stored with a consent that is then withdrawn. Legal holds win.",
                max_length=16,
            ),
        ),
        migrations.AlterModelOptions(
            "subject",
            {
                "permissions": (
                    ("identify_subject", "Can see who is behind a surrogate"),
                    ("reenrol_subject", "Can enrol an erased person again"),
                    ("unrestrict_subject", "Can end the restriction of a person"),
                )
            },
        ),
        migrations.AlterModelOptions("consentrecord", {"ordering": ("-id",), "verbose_name": "consent"}),
        migrations.AlterModelOptions(
            "consentnotice",
            {"ordering": ("tenant_id", "purpose", "-version", "language"), "verbose_name": "notice"},
        ),
        migrations.RunPython(add_purposes, remove_purposes),
        run_sql("compliance", "consent", reverse=REVERSE),
    ]
