"""Adjustments, statements and reconciliations."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_rollups")]
    operations = []
