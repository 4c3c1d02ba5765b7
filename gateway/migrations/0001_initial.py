"""The tables of gateway."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Model',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._:/@-]*\\Z', 'Use letters, digits and . _ : / @ - only.')])),
                ('owned_by', models.CharField(default='portcullis', max_length=50)),
                ('tokenizer', models.CharField(choices=[('bytes', 'bytes (an upper bound for any model)'), ('o200k_base', 'o200k_base (GPT-4o and later)'), ('cl100k_base', 'cl100k_base (GPT-4, GPT-3.5)')], default='bytes', help_text='How prompts are counted before they are sent.', max_length=20)),
                ('active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='PolicyRevision',
            fields=[
                ('scope', models.BigIntegerField(help_text="A tenant's id, or 0 for what all share.", primary_key=True, serialize=False)),
                ('revision', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(help_text='Prices refer to it.', unique=True)),
                ('name', models.CharField(max_length=100)),
                ('base_url', models.CharField(help_text='Up to and including the version, e.g. https://api.openai.com/v1', max_length=300, validators=[django.core.validators.URLValidator(schemes=['http', 'https'])], verbose_name='base URL')),
                ('output_limit_field', models.CharField(choices=[('max_tokens', 'max_tokens'), ('max_completion_tokens', 'max_completion_tokens')], default='max_tokens', help_text='The field that limits output tokens when the client named none.', max_length=30)),
                ('connect_timeout_ms', models.PositiveIntegerField(default=5000, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3600000)])),
                ('read_timeout_ms', models.PositiveIntegerField(default=120000, help_text='The longest silence between two pieces of an answer.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3600000)])),
                ('total_timeout_ms', models.PositiveIntegerField(default=600000, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3600000)])),
                ('active', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ('slug',),
            },
        ),
        migrations.CreateModel(
            name='ProviderCredential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.BinaryField()),
                ('last_four', models.CharField(blank=True, editable=False, max_length=4)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('provider', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='credential', to='gateway.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('upstream_model', models.CharField(help_text="The model's name at the provider.", max_length=200)),
                ('priority', models.PositiveSmallIntegerField(default=10, help_text='Lower goes first.')),
                ('active', models.BooleanField(default=True)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deployments', to='gateway.model')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='gateway.provider')),
            ],
            options={
                'ordering': ('model', 'priority', 'id'),
                'constraints': [models.UniqueConstraint(fields=('model', 'provider', 'upstream_model'), name='deployment_once')],
            },
        ),
    ]
