"""What the database itself holds about keys: see `compliance/keyring/sql/guards.sql`."""

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER tenant_key_guard ON keys_tenantkey;
DROP TRIGGER subject_key_guard ON keys_subjectkey;
DROP TRIGGER signing_key_guard ON keys_signingkey;
DROP TRIGGER tenant_key_stays ON keys_tenantkey;
DROP TRIGGER subject_key_stays ON keys_subjectkey;
DROP TRIGGER signing_key_stays ON keys_signingkey;
DROP TRIGGER dead_key_stays ON keys_deadkey;
DROP TRIGGER retired_root_stays ON keys_retiredroot;
DROP TRIGGER tenant_key_no_truncate ON keys_tenantkey;
DROP TRIGGER subject_key_no_truncate ON keys_subjectkey;
DROP TRIGGER signing_key_no_truncate ON keys_signingkey;
DROP TRIGGER dead_key_no_truncate ON keys_deadkey;
DROP TRIGGER retired_root_no_truncate ON keys_retiredroot;
DROP FUNCTION tenant_key_guard();
DROP FUNCTION subject_key_guard();
DROP FUNCTION signing_key_guard();
DROP FUNCTION keys_refuse_dead(bytea);
DROP FUNCTION keys_refuse_retired_root(bigint);
DROP FUNCTION keys_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_tables")]
    operations = [run_sql("compliance.keyring", "guards", reverse=REVERSE)]
