"""Makes the audit log append-only in the database."""

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER audit_no_truncate ON compliance_auditevent;
DROP TRIGGER audit_no_change ON compliance_auditevent;
DROP FUNCTION audit_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("compliance", "0001_initial")]
    operations = [run_sql("compliance", "append_only", reverse=REVERSE)]
