"""The ledger's tables as Django sees them: read only, so this changes no database."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('ledger', '0001_ledger'),
    ]

    operations = [
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('request_id', models.UUIDField(primary_key=True, serialize=False)),
                ('tenant_id', models.BigIntegerField()),
                ('cost_nano', models.BigIntegerField()),
                ('tokens', models.BigIntegerField()),
                ('admitted_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('meter_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ('marks', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('context', models.JSONField()),
            ],
            options={
                'db_table': 'hold',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Meter',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('tenant_id', models.BigIntegerField()),
                ('name', models.TextField()),
                ('used', models.BigIntegerField()),
                ('held', models.BigIntegerField()),
                ('tat_ns', models.BigIntegerField()),
                ('period_start', models.DateTimeField()),
                ('period_end', models.DateTimeField()),
            ],
            options={
                'db_table': 'meter',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='OutboxEntry',
            fields=[
                ('seq', models.BigAutoField(primary_key=True, serialize=False)),
                ('record', models.JSONField()),
            ],
            options={
                'db_table': 'usage_outbox',
                'managed': False,
            },
        ),
    ]
