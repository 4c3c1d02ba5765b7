"""The tables of billing."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageRecord',
            fields=[
                ('request_id', models.UUIDField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField(help_text='When it was admitted or refused; its budget periods are those of this time.')),
                ('tenant_id', models.BigIntegerField()),
                ('application_id', models.BigIntegerField(null=True)),
                ('api_key_id', models.BigIntegerField(null=True)),
                ('environment', models.CharField(blank=True, max_length=16)),
                ('model', models.CharField(blank=True, help_text='As the client named it.', max_length=200)),
                ('provider', models.CharField(blank=True, max_length=50)),
                ('upstream_model', models.CharField(blank=True, max_length=200)),
                ('outcome', models.CharField(choices=[('completed', 'Completed'), ('client_left', 'Client left'), ('cut', 'Upstream cut the answer'), ('upstream_error', 'Upstream failed'), ('refused', 'Refused'), ('failed', 'Failed here'), ('swept', 'Process lost, charged at its hold')], max_length=16)),
                ('code', models.CharField(blank=True, help_text='Of the error, where there was one.', max_length=50)),
                ('status', models.PositiveSmallIntegerField(help_text='HTTP status of the answer.', null=True)),
                ('streamed', models.BooleanField(default=False)),
                ('requests', models.PositiveIntegerField(default=1, help_text='More than one for refusals that were counted together.')),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('cached_input_tokens', models.BigIntegerField(default=0)),
                ('cache_write_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0)),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('cost_nano', models.BigIntegerField(default=0)),
                ('estimated', models.BooleanField(default=False, help_text='Tokens were counted here, not reported upstream.')),
                ('latency_ms', models.IntegerField(null=True)),
                ('first_token_ms', models.IntegerField(null=True)),
                ('overhead_us', models.IntegerField(help_text='Time spent here rather than upstream.', null=True)),
            ],
            options={
                'verbose_name': 'usage record',
                'db_table': 'billing_usagerecord',
                'ordering': ('-at',),
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.SlugField(help_text="The provider's slug.")),
                ('model', models.CharField(help_text="The model's name at the provider.", max_length=200)),
                ('valid_from', models.DateTimeField(default=django.utils.timezone.now)),
                ('input_nano', models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)], verbose_name='input, nano-dollars per million tokens')),
                ('cached_input_nano', models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)], verbose_name='cached input, nano-dollars per million tokens')),
                ('cache_write_nano', models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)], verbose_name='cache write, nano-dollars per million tokens')),
                ('output_nano', models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)], verbose_name='output, nano-dollars per million tokens')),
                ('request_nano', models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)], verbose_name='per request, nano-dollars')),
                ('source', models.CharField(default='manual', editable=False, max_length=50)),
            ],
            options={
                'ordering': ('provider', 'model', '-valid_from'),
                'constraints': [models.UniqueConstraint(fields=('provider', 'model', 'valid_from'), name='price_once'), models.CheckConstraint(condition=models.Q(('cache_write_nano__gte', 0), ('cached_input_nano__gte', 0), ('input_nano__gte', 0), ('output_nano__gte', 0), ('request_nano__gte', 0)), name='price_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='Tier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=100)),
                ('requests_per_minute', models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('requests_per_hour', models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('requests_per_day', models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('tokens_per_minute', models.PositiveBigIntegerField(help_text='Input and output together.', validators=[django.core.validators.MinValueValidator(1)])),
                ('concurrency', models.PositiveIntegerField(help_text='Requests in flight at once.', validators=[django.core.validators.MinValueValidator(1)])),
                ('output_tokens_cap', models.PositiveIntegerField(help_text='The most output tokens one request may ask for, and gets if it names none.', validators=[django.core.validators.MinValueValidator(1)])),
                ('max_messages', models.PositiveIntegerField(default=100, validators=[django.core.validators.MinValueValidator(1)])),
                ('max_message_chars', models.PositiveIntegerField(default=50000, validators=[django.core.validators.MinValueValidator(1)])),
                ('max_prompt_chars', models.PositiveIntegerField(default=100000, validators=[django.core.validators.MinValueValidator(1)])),
            ],
            options={
                'ordering': ('requests_per_minute', 'slug'),
                'constraints': [models.CheckConstraint(condition=models.Q(('concurrency__gt', 0), ('output_tokens_cap__gt', 0), ('requests_per_day__gt', 0), ('requests_per_hour__gt', 0), ('requests_per_minute__gt', 0), ('tokens_per_minute__gt', 0)), name='tier_limits_positive')],
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(auto_now_add=True)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='subscription', to='accounts.tenant')),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='billing.tier')),
            ],
        ),
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('period', models.CharField(choices=[('day', 'Day'), ('week', 'Week (Monday to Sunday)'), ('month', 'Month'), ('total', 'Total, never starts anew')], default='month', max_length=8)),
                ('mode', models.CharField(choices=[('hard', 'Hard: refuse what would exceed it'), ('soft', 'Soft: count, never refuse')], default='hard', max_length=8)),
                ('limit_nano', models.BigIntegerField(validators=[django.core.validators.MinValueValidator(0)], verbose_name='limit, nano-dollars')),
                ('active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('api_key', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='budgets', to='accounts.apikey', verbose_name='API key')),
                ('application', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='budgets', to='accounts.application')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='budgets', to='accounts.tenant')),
            ],
            options={
                'ordering': ('tenant', 'name'),
                'constraints': [models.UniqueConstraint(fields=('tenant', 'name'), name='budget_name_once'), models.CheckConstraint(condition=models.Q(('limit_nano__gte', 0)), name='budget_limit_not_negative'), models.CheckConstraint(condition=models.Q(('application__isnull', True), ('api_key__isnull', True), _connector='OR'), name='budget_one_scope')],
            },
        ),
    ]
