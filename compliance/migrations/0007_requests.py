"""The tables of subject requests."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP TRIGGER request_history_no_truncate ON compliance_subjectrequestevent;
DROP TRIGGER request_history_no_change ON compliance_subjectrequestevent;
DROP FUNCTION request_history_refuse;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("compliance", "0006_retention"),
    ]

    operations = [
        migrations.CreateModel(
            name="SubjectRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, help_text="What applications know.", unique=True
                    ),
                ),
                (
                    "right",
                    models.CharField(
                        choices=[
                            ("access", "Access"),
                            ("rectification", "Rectification"),
                            ("erasure", "Erasure"),
                            ("restriction", "Restriction"),
                            ("portability", "Portability"),
                            ("objection", "Objection"),
                            ("withdrawal", "Withdrawal of consent"),
                            ("opt_out", "Opt-out of sale and sharing"),
                            ("limit", "Limit use of sensitive data"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "purpose",
                    models.SlugField(blank=True, help_text="Of a withdrawal or an objection: which; empty: all."),
                ),
                ("details", models.BinaryField(help_text="Their words, under the person's own key.", null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("acknowledged", "Acknowledged"),
                            ("identity_pending", "Identity pending"),
                            ("identity_verified", "Identity verified"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("partially_approved", "Partially approved"),
                            ("refused", "Refused"),
                            ("queued", "Queued"),
                            ("executing", "Executing"),
                            ("verifying", "Verifying"),
                            ("fulfilled", "Fulfilled"),
                            ("clarification_requested", "Clarification requested"),
                            ("extended", "Extended"),
                            ("on_hold", "On hold"),
                            ("duplicate", "Duplicate"),
                            ("withdrawn", "Withdrawn"),
                            ("failed", "Failed"),
                        ],
                        default="received",
                        editable=False,
                        max_length=24,
                    ),
                ),
                (
                    "state_before",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("received", "Received"),
                            ("acknowledged", "Acknowledged"),
                            ("identity_pending", "Identity pending"),
                            ("identity_verified", "Identity verified"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("partially_approved", "Partially approved"),
                            ("refused", "Refused"),
                            ("queued", "Queued"),
                            ("executing", "Executing"),
                            ("verifying", "Verifying"),
                            ("fulfilled", "Fulfilled"),
                            ("clarification_requested", "Clarification requested"),
                            ("extended", "Extended"),
                            ("on_hold", "On hold"),
                            ("duplicate", "Duplicate"),
                            ("withdrawn", "Withdrawn"),
                            ("failed", "Failed"),
                        ],
                        editable=False,
                        max_length=24,
                    ),
                ),
                ("state_since", models.DateTimeField(editable=False)),
                ("received_at", models.DateTimeField()),
                ("received_by", models.CharField(editable=False, help_text="The actor's kind and id.", max_length=120)),
                ("closed_at", models.DateTimeField(editable=False, null=True)),
                ("regime", models.CharField(max_length=20)),
                ("terms", models.JSONField(default=dict, editable=False, help_text="The regime as it was at receipt.")),
                ("zone", models.CharField(editable=False, max_length=50)),
                ("acknowledge_by", models.DateField(editable=False, null=True)),
                ("acknowledged_at", models.DateTimeField(editable=False, null=True)),
                ("due_on", models.DateField(editable=False, help_text="The last day, in the tenant's time zone.")),
                ("due_at", models.DateTimeField(editable=False, help_text="The first moment after that day.")),
                (
                    "because",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        editable=False,
                        help_text="How the due date was found.",
                        size=None,
                    ),
                ),
                ("extended_at", models.DateTimeField(editable=False, null=True)),
                ("extension_reason", models.TextField(blank=True, editable=False)),
                ("paused_since", models.DateTimeField(editable=False, null=True)),
                ("paused_days", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "told",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(),
                        default=list,
                        editable=False,
                        help_text="Reminders sent, days left.",
                        size=None,
                    ),
                ),
                (
                    "receipt_told",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(),
                        default=list,
                        editable=False,
                        help_text="The same, of its confirmation.",
                        size=None,
                    ),
                ),
                (
                    "identity",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("asserted", "Asserted by the application"),
                            ("code", "By a one-time code"),
                            ("officer", "Checked by an officer"),
                            ("not_needed", "Not needed for this right"),
                        ],
                        editable=False,
                        max_length=16,
                    ),
                ),
                ("identity_verified_at", models.DateTimeField(editable=False, null=True)),
                ("code_hash", models.BinaryField(null=True)),
                ("code_expires_at", models.DateTimeField(editable=False, null=True)),
                ("code_attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("codes_made", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("code_made_at", models.DateTimeField(editable=False, null=True)),
                ("decided_at", models.DateTimeField(editable=False, null=True)),
                ("decided_by", models.CharField(blank=True, editable=False, max_length=120)),
                ("decision_reason", models.TextField(blank=True, editable=False)),
                (
                    "result",
                    models.JSONField(default=dict, editable=False, help_text="What came of it; no personal data."),
                ),
                (
                    "duplicate_of",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="compliance.subjectrequest",
                    ),
                ),
                (
                    "subject",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="compliance.subject"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("due_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="SubjectExport",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key_id", models.UUIDField(help_text="Of the subject key that it is under.")),
                ("file_bytes", models.BigIntegerField(help_text="Of the file as it lies there, encrypted.")),
                ("zip_sha256", models.CharField(help_text="Of the zip file inside.", max_length=64)),
                ("records", models.BigIntegerField()),
                ("manifest", models.JSONField(default=dict, help_text="Signed: files, their hashes and counts.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_on", models.DateField(help_text="On this day the file is deleted.")),
                ("downloads", models.PositiveIntegerField(default=0)),
                ("deleted_at", models.DateTimeField(blank=True, help_text="When the file was deleted.", null=True)),
                (
                    "subject",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="exports", to="compliance.subject"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="export",
                        to="compliance.subjectrequest",
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="RequestStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "store",
                    models.CharField(help_text="A registered store, or a duty such as `restriction`.", max_length=100),
                ),
                ("title", models.CharField(max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("rows", models.BigIntegerField(default=0)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("try_at", models.DateTimeField(help_text="Not before this.", null=True)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="compliance.subjectrequest",
                    ),
                ),
            ],
            options={
                "ordering": ("request", "position"),
            },
        ),
        migrations.CreateModel(
            name="Rectification",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "transcript_id",
                    models.UUIDField(blank=True, help_text="Empty: all of the person's conversations.", null=True),
                ),
                ("statement", models.BinaryField(help_text="Encrypted under the person's own key.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "subject",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rectifications",
                        to="compliance.subject",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rectifications",
                        to="compliance.subjectrequest",
                    ),
                ),
            ],
            options={
                "ordering": ("created_at",),
            },
        ),
        migrations.CreateModel(
            name="SubjectRequestEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("moved", "Moved"),
                            ("extended", "Extended"),
                            ("paused", "Clock stopped"),
                            ("resumed", "Clock goes on"),
                            ("code_made", "Code made"),
                            ("code_refused", "Code refused"),
                            ("reminded", "Reminder"),
                            ("downloaded", "Export downloaded"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "before",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("received", "Received"),
                            ("acknowledged", "Acknowledged"),
                            ("identity_pending", "Identity pending"),
                            ("identity_verified", "Identity verified"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("partially_approved", "Partially approved"),
                            ("refused", "Refused"),
                            ("queued", "Queued"),
                            ("executing", "Executing"),
                            ("verifying", "Verifying"),
                            ("fulfilled", "Fulfilled"),
                            ("clarification_requested", "Clarification requested"),
                            ("extended", "Extended"),
                            ("on_hold", "On hold"),
                            ("duplicate", "Duplicate"),
                            ("withdrawn", "Withdrawn"),
                            ("failed", "Failed"),
                        ],
                        max_length=24,
                    ),
                ),
                (
                    "after",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("received", "Received"),
                            ("acknowledged", "Acknowledged"),
                            ("identity_pending", "Identity pending"),
                            ("identity_verified", "Identity verified"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("partially_approved", "Partially approved"),
                            ("refused", "Refused"),
                            ("queued", "Queued"),
                            ("executing", "Executing"),
                            ("verifying", "Verifying"),
                            ("fulfilled", "Fulfilled"),
                            ("clarification_requested", "Clarification requested"),
                            ("extended", "Extended"),
                            ("on_hold", "On hold"),
                            ("duplicate", "Duplicate"),
                            ("withdrawn", "Withdrawn"),
                            ("failed", "Failed"),
                        ],
                        max_length=24,
                    ),
                ),
                ("by", models.CharField(max_length=120)),
                ("reason", models.TextField(blank=True)),
                ("details", models.JSONField(default=dict)),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="compliance.subjectrequest",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Regime",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=20)),
                ("name", models.CharField(max_length=100)),
                (
                    "acknowledge_count",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="acknowledge within"),
                ),
                (
                    "acknowledge_unit",
                    models.CharField(
                        choices=[("months", "months"), ("days", "days"), ("business_days", "business days")],
                        default="business_days",
                        max_length=16,
                    ),
                ),
                ("answer_count", models.PositiveSmallIntegerField(verbose_name="answer within")),
                (
                    "answer_unit",
                    models.CharField(
                        choices=[("months", "months"), ("days", "days"), ("business_days", "business days")],
                        default="days",
                        max_length=16,
                    ),
                ),
                (
                    "extension_count",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="In the unit of the answer. Empty: none.",
                        null=True,
                        verbose_name="extension by",
                    ),
                ),
                (
                    "opt_out_count",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Business days; also to limit the use of sensitive data. Empty: as all else.",
                        null=True,
                        verbose_name="opt-outs within",
                    ),
                ),
                (
                    "weekend",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="0 is Monday: 5, 6 for most.",
                        size=None,
                    ),
                ),
                (
                    "holidays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateField(),
                        blank=True,
                        default=list,
                        help_text="As 2026-12-25, with commas.",
                        size=None,
                    ),
                ),
                (
                    "moves",
                    models.BooleanField(
                        default=False,
                        help_text="A deadline on a weekend or a holiday ends with the next working day.",
                        verbose_name="moves to a working day",
                    ),
                ),
                (
                    "pauses_for_identity",
                    models.BooleanField(
                        default=False, help_text="The clock stands still while the person's identity is being proved."
                    ),
                ),
                (
                    "pauses_for_clarification",
                    models.BooleanField(
                        default=False, help_text="The clock stands still while the person is asked what they mean."
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("tenant_id", "slug"),
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "slug"), name="regime_once"),
                    models.CheckConstraint(condition=models.Q(("answer_count__gte", 1)), name="regime_answers_in_time"),
                    models.CheckConstraint(
                        condition=models.Q(("slug__in", ["ccpa", "gdpr", "uk_gdpr"]), _negated=True),
                        name="regime_is_not_built_in",
                    ),
                    models.CheckConstraint(condition=models.Q(("weekend__len__lt", 7)), name="regime_has_working_days"),
                    models.CheckConstraint(
                        condition=models.Q(("weekend__contained_by", [0, 1, 2, 3, 4, 5, 6])),
                        name="regime_weekend_is_of_the_week",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="subjectrequest",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["tenant", "due_at"], name="request_open"
            ),
        ),
        migrations.AddIndex(
            model_name="subjectrequest",
            index=models.Index(fields=["state", "id"], name="request_state"),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "received"), ("state_before", "")),
                    models.Q(("state__in", ["acknowledged", "duplicate", "withdrawn"]), ("state_before", "received")),
                    models.Q(
                        (
                            "state__in",
                            [
                                "identity_pending",
                                "identity_verified",
                                "clarification_requested",
                                "extended",
                                "duplicate",
                                "withdrawn",
                            ],
                        ),
                        ("state_before", "acknowledged"),
                    ),
                    models.Q(
                        (
                            "state__in",
                            [
                                "identity_verified",
                                "refused",
                                "clarification_requested",
                                "extended",
                                "duplicate",
                                "withdrawn",
                            ],
                        ),
                        ("state_before", "identity_pending"),
                    ),
                    models.Q(
                        (
                            "state__in",
                            ["in_review", "clarification_requested", "extended", "on_hold", "duplicate", "withdrawn"],
                        ),
                        ("state_before", "identity_verified"),
                    ),
                    models.Q(
                        (
                            "state__in",
                            [
                                "approved",
                                "partially_approved",
                                "refused",
                                "clarification_requested",
                                "extended",
                                "on_hold",
                                "duplicate",
                                "withdrawn",
                            ],
                        ),
                        ("state_before", "in_review"),
                    ),
                    models.Q(("state__in", ["queued", "on_hold", "withdrawn"]), ("state_before", "approved")),
                    models.Q(("state__in", ["queued", "on_hold", "withdrawn"]), ("state_before", "partially_approved")),
                    models.Q(("state__in", ["executing", "on_hold", "withdrawn"]), ("state_before", "queued")),
                    models.Q(("state__in", ["verifying", "failed", "on_hold"]), ("state_before", "executing")),
                    models.Q(("state__in", ["fulfilled", "executing", "failed"]), ("state_before", "verifying")),
                    models.Q(
                        (
                            "state__in",
                            [
                                "identity_pending",
                                "identity_verified",
                                "in_review",
                                "refused",
                                "extended",
                                "duplicate",
                                "withdrawn",
                            ],
                        ),
                        ("state_before", "clarification_requested"),
                    ),
                    models.Q(
                        (
                            "state__in",
                            [
                                "identity_pending",
                                "identity_verified",
                                "in_review",
                                "clarification_requested",
                                "on_hold",
                                "duplicate",
                                "withdrawn",
                            ],
                        ),
                        ("state_before", "extended"),
                    ),
                    models.Q(
                        ("state__in", ["in_review", "queued", "duplicate", "withdrawn"]), ("state_before", "on_hold")
                    ),
                    models.Q(("state__in", ["queued", "on_hold"]), ("state_before", "failed")),
                    _connector="OR",
                ),
                name="request_moves_as_the_table_says",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                "approved",
                                "executing",
                                "failed",
                                "fulfilled",
                                "identity_verified",
                                "in_review",
                                "partially_approved",
                                "queued",
                                "verifying",
                            ],
                        ),
                        _negated=True,
                    ),
                    models.Q(models.Q(("identity", ""), _negated=True), ("identity_verified_at__isnull", False)),
                    _connector="OR",
                ),
                name="request_identity_is_settled_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                "approved",
                                "executing",
                                "failed",
                                "fulfilled",
                                "partially_approved",
                                "queued",
                                "verifying",
                            ],
                        ),
                        _negated=True,
                    ),
                    models.Q(("decided_at__isnull", False), models.Q(("decided_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="request_is_decided_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["refused", "partially_approved"]), _negated=True),
                    models.Q(("decision_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="request_refused_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["duplicate", "fulfilled", "refused", "withdrawn"]),
                    ("closed_at__isnull", True),
                    _connector="XOR",
                ),
                name="request_closed_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("extended_at__isnull", True), models.Q(("extension_reason", ""), _negated=True), _connector="XOR"
                ),
                name="request_extended_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("duplicate_of__isnull", True), ("state", "duplicate"), _connector="XOR"),
                name="request_duplicate_of_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="subjectrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("code_attempts__lte", 5)), name="request_code_tried_five_times"
            ),
        ),
        migrations.AddIndex(
            model_name="subjectexport",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)), fields=["expires_on"], name="export_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="requeststep",
            constraint=models.UniqueConstraint(fields=("request", "store"), name="request_step_once"),
        ),
        migrations.AddConstraint(
            model_name="requeststep",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "done"), ("done_at__isnull", True), _connector="XOR"),
                name="request_step_done_has_time",
            ),
        ),
        migrations.AddIndex(
            model_name="rectification",
            index=models.Index(fields=["tenant", "subject"], name="rectification_subject"),
        ),
        run_sql("compliance", "requests", reverse=REVERSE),
    ]
