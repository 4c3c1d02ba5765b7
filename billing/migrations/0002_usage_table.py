"""Makes the partitioned usage table."""

from django.db import migrations

from config.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [run_sql("billing", "usage", reverse="DROP TABLE billing_usagerecord")]
