"""Rotation of API keys: the policy of tenants, retiring secrets, claims of new ones, and when each was last used."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import Q

import accounts.models.tenants

SECRETS_AS_OLD_AS_THEIR_KEYS = "UPDATE accounts_apikey SET secret_since = created_at"


def _key(related_name, on_delete=django.db.models.deletion.PROTECT):
    return models.ForeignKey(on_delete=on_delete, related_name=related_name, to="accounts.apikey")


def _tenant():
    return models.ForeignKey(
        editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
    )


def _id():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_sealed_salts")]
    operations = [
        migrations.AddField(
            "apikey",
            "secret_since",
            models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            "apikey",
            "rotation_due_at",
            models.DateTimeField(
                blank=True, editable=False, help_text="When its secret is replaced by the clock, if ever.", null=True
            ),
        ),
        migrations.RunSQL(SECRETS_AS_OLD_AS_THEIR_KEYS, migrations.RunSQL.noop),
        migrations.AddField(
            "tenant",
            "key_rotation_days",
            models.PositiveSmallIntegerField(
                "rotate keys after, days",
                blank=True,
                help_text="How long a secret is used before it is replaced. Empty: as the installation does; 0: never.",
                null=True,
                validators=[accounts.models.tenants.validate_rotation_days],
            ),
        ),
        migrations.AddField(
            "tenant",
            "key_overlap_days",
            models.PositiveSmallIntegerField(
                "overlap, days",
                blank=True,
                help_text="How long the old secret works beside the new one. Empty: as the installation does.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(90),
                ],
            ),
        ),
        migrations.CreateModel(
            "RetiringSecret",
            [
                ("id", _id()),
                ("tenant", _tenant()),
                ("key", _key("retiring_secrets")),
                ("public_id", models.CharField(editable=False, max_length=12, unique=True)),
                ("pepper_version", models.PositiveSmallIntegerField(editable=False)),
                (
                    "digest",
                    models.BinaryField(blank=True, help_text="None once it has ended.", max_length=32, null=True),
                ),
                ("last_four", models.CharField(editable=False, max_length=4)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, help_text="When it was replaced."
                    ),
                ),
                ("ends_at", models.DateTimeField(help_text="Until then it works beside the one that replaces it.")),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            {
                "ordering": ("-id",),
                "indexes": [
                    models.Index(condition=Q(ended_at=None), fields=["ends_at"], name="retiring_secret_due"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(ended_at__isnull=True) ^ Q(digest__isnull=True),
                        name="retiring_secret_ended_is_gone",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "SecretClaim",
            [
                ("id", _id()),
                ("tenant", _tenant()),
                ("key", _key("claims")),
                (
                    "replaces",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claims",
                        to="accounts.retiringsecret",
                    ),
                ),
                (
                    "public_id",
                    models.CharField(editable=False, help_text="Of the secret.", max_length=12, unique=True),
                ),
                (
                    "link_hash",
                    models.BinaryField(help_text="SHA-256 of the link's token.", max_length=32, unique=True),
                ),
                ("link", models.BinaryField(blank=True, help_text="The token, sealed; None once over.", null=True)),
                (
                    "secret",
                    models.BinaryField(blank=True, help_text="The key's text, sealed; None once over.", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waits to be claimed"),
                            ("claimed", "Claimed"),
                            ("expired", "Expired"),
                            ("replaced", "Replaced by a newer link"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            {
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(state="waiting"), fields=("key",), name="secret_claim_one_waits"
                    ),
                    models.CheckConstraint(
                        condition=Q(state="waiting", closed_at__isnull=True, secret__isnull=False, link__isnull=False)
                        | (~Q(state="waiting") & Q(closed_at__isnull=False, secret__isnull=True, link__isnull=True)),
                        name="secret_claim_over_is_gone",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            "SecretUse",
            [
                ("public_id", models.CharField(max_length=12, primary_key=True, serialize=False)),
                ("key", _key("uses", django.db.models.deletion.CASCADE)),
                ("last_used_at", models.DateTimeField()),
            ],
        ),
    ]
