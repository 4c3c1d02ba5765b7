"""Revoked keys and closed tenants stay so, by trigger."""

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER final_state ON accounts_tenant;
DROP TRIGGER final_state ON accounts_apikey;
DROP FUNCTION accounts_final_state;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [run_sql("accounts", "final_states", reverse=REVERSE)]
