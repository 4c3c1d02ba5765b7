"""Rollups of usage: by hour and by day."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_usage_attribution")]
    operations = []
