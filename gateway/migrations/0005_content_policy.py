"""Changes of content policies reach the gateways."""

from django.db import migrations

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER policy ON compliance_contentpolicy;
DROP TRIGGER policy_truncate ON compliance_contentpolicy;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_scopes"), ("compliance", "0003_consent")]
    operations = [run_sql("gateway", "policy_of_content", reverse=REVERSE)]
