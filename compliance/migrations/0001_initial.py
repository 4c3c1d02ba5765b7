"""The tables of compliance."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('occurred_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tenant_id', models.BigIntegerField(null=True)),
                ('actor_kind', models.CharField(max_length=16)),
                ('actor_id', models.CharField(max_length=100)),
                ('action', models.CharField(help_text='What was done, as object.verb.', max_length=100)),
                ('target_kind', models.CharField(max_length=50)),
                ('target_id', models.CharField(max_length=100)),
                ('outcome', models.CharField(default='success', max_length=16)),
                ('reason', models.TextField(blank=True)),
                ('before', models.JSONField(default=dict, help_text='The changed fields as they were.')),
                ('after', models.JSONField(default=dict, help_text='The changed fields as they became.')),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('ip', models.GenericIPAddressField(null=True, unpack_ipv4=True)),
                ('user_agent', models.CharField(blank=True, max_length=300)),
                ('version', models.PositiveSmallIntegerField(default=1, help_text="Of this row's shape.")),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['tenant_id', '-id'], name='audit_tenant'), models.Index(fields=['target_kind', 'target_id', '-id'], name='audit_target')],
            },
        ),
    ]
