"""Gateways are told of people who are erased, restricted or enrolled again."""

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER notice_of_change ON compliance_subject;
DROP TRIGGER notice_of_deletion ON compliance_subject;
DROP TRIGGER notice_of_truncation ON compliance_subject;
DROP FUNCTION subject_changed;
DROP FUNCTION subjects_truncated;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0005_content_policy"), ("compliance", "0003_consent")]
    operations = [run_sql("gateway", "subject_notices", reverse=REVERSE)]
