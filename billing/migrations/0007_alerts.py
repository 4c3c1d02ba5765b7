"""Alert rules, alerts and their deliveries."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_accounting")]
    operations = []
