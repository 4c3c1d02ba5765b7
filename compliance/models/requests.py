"""What people ask for by right: each request, how it went, and what came of it."""

import uuid
from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from compliance import regimes
from compliance.deadlines import Unit, local_day
from compliance.models.subjects import Subject
from compliance.request_states import CLOSED, DECIDED, FIRST, IDENTIFIED, NEXT, State
from compliance.rights import Right

RIGHTS = [(right.value, right.label) for right in Right]
STATES = [(state.value, state.label) for state in State]
UNITS = [(unit.value, unit.replace("_", " ")) for unit in Unit]


def legal_moves() -> Q:
    """The table of states as a condition: the state is one that may follow the one before it."""
    moves = Q(state=FIRST.value, state_before="")
    for before, states in NEXT.items():
        if states:
            moves |= Q(state_before=before.value, state__in=[state.value for state in states])
    return moves


def _values(states: frozenset[State]) -> list[str]:
    return sorted(state.value for state in states)


class Regime(models.Model):
    """A tenant's own deadlines, beside the built-in ones (`compliance/regimes.py`)."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    slug = models.SlugField(max_length=20)
    name = models.CharField(max_length=100)
    acknowledge_count = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name="acknowledge within")
    acknowledge_unit = models.CharField(max_length=16, choices=UNITS, default=Unit.BUSINESS_DAYS.value)
    answer_count = models.PositiveSmallIntegerField(verbose_name="answer within")
    answer_unit = models.CharField(max_length=16, choices=UNITS, default=Unit.DAYS.value)
    extension_count = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name="extension by", help_text="In the unit of the answer. Empty: none."
    )
    opt_out_count = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        verbose_name="opt-outs within",
        help_text="Business days; also to limit the use of sensitive data. Empty: as all else.",
    )
    weekend = ArrayField(
        models.PositiveSmallIntegerField(), default=list, blank=True, help_text="0 is Monday: 5, 6 for most."
    )
    holidays = ArrayField(models.DateField(), default=list, blank=True, help_text="As 2026-12-25, with commas.")
    moves = models.BooleanField(
        default=False,
        verbose_name="moves to a working day",
        help_text="A deadline on a weekend or a holiday ends with the next working day.",
    )
    pauses_for_identity = models.BooleanField(
        default=False, help_text="The clock stands still while the person's identity is being proved."
    )
    pauses_for_clarification = models.BooleanField(
        default=False, help_text="The clock stands still while the person is asked what they mean."
    )

    class Meta:
        ordering = ("tenant_id", "slug")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "slug"), name="regime_once"),
            models.CheckConstraint(name="regime_answers_in_time", condition=Q(answer_count__gte=1)),
            models.CheckConstraint(name="regime_is_not_built_in", condition=~Q(slug__in=sorted(regimes.BUILT_IN))),
            # Without a working day no business day would ever come.
            models.CheckConstraint(name="regime_has_working_days", condition=Q(weekend__len__lt=7)),
            models.CheckConstraint(
                name="regime_weekend_is_of_the_week", condition=Q(weekend__contained_by=[0, 1, 2, 3, 4, 5, 6])
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.weekend = sorted(set(self.weekend or []))
        if len(self.weekend) == 7:
            raise ValidationError({"weekend": "A week needs a working day."})


class SubjectRequest(models.Model):
    """One request of one person, from receipt to certificate or export."""

    # Sealed under the person's key, or opens something: never in the audit log.
    audit_secret_fields = frozenset({"details", "code_hash"})

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, help_text="What applications know.")
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="requests")
    right = models.CharField(max_length=16, choices=RIGHTS)
    purpose = models.SlugField(
        max_length=50, blank=True, help_text="Of a withdrawal or an objection: which; empty: all."
    )
    details = models.BinaryField(null=True, editable=False, help_text="Their words, under the person's own key.")
    state = models.CharField(max_length=24, choices=STATES, default=FIRST.value, editable=False)
    state_before = models.CharField(max_length=24, choices=STATES, blank=True, editable=False)
    state_since = models.DateTimeField(editable=False)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=120, editable=False, help_text="The actor's kind and id.")
    closed_at = models.DateTimeField(null=True, editable=False)

    # Deadlines, as they were computed at receipt and after an extension or a pause.
    regime = models.CharField(max_length=20)
    terms = models.JSONField(default=dict, editable=False, help_text="The regime as it was at receipt.")
    zone = models.CharField(max_length=50, editable=False)
    acknowledge_by = models.DateField(null=True, editable=False)
    acknowledged_at = models.DateTimeField(null=True, editable=False)
    due_on = models.DateField(editable=False, help_text="The last day, in the tenant's time zone.")
    due_at = models.DateTimeField(editable=False, help_text="The first moment after that day.")
    because = ArrayField(models.TextField(), default=list, editable=False, help_text="How the due date was found.")
    extended_at = models.DateTimeField(null=True, editable=False)
    extension_reason = models.TextField(blank=True, editable=False)
    paused_since = models.DateTimeField(null=True, editable=False)
    paused_days = models.PositiveSmallIntegerField(default=0, editable=False)
    told = ArrayField(models.SmallIntegerField(), default=list, editable=False, help_text="Reminders sent, days left.")
    receipt_told = ArrayField(
        models.SmallIntegerField(), default=list, editable=False, help_text="The same, of its confirmation."
    )

    # Identity: who says that it is them, and the one-time code where it is asked for.
    identity = models.CharField(
        max_length=16,
        blank=True,
        editable=False,
        choices=[
            ("asserted", "Asserted by the application"),
            ("code", "By a one-time code"),
            ("officer", "Checked by an officer"),
            ("not_needed", "Not needed for this right"),
        ],
    )
    identity_verified_at = models.DateTimeField(null=True, editable=False)
    code_hash = models.BinaryField(null=True, editable=False)
    code_expires_at = models.DateTimeField(null=True, editable=False)
    code_attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    codes_made = models.PositiveSmallIntegerField(default=0, editable=False)
    code_made_at = models.DateTimeField(null=True, editable=False)

    decided_at = models.DateTimeField(null=True, editable=False)
    decided_by = models.CharField(max_length=120, blank=True, editable=False)
    decision_reason = models.TextField(blank=True, editable=False)
    result = models.JSONField(default=dict, editable=False, help_text="What came of it; no personal data.")
    duplicate_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="+")

    class Meta:
        ordering = ("due_at", "id")
        indexes = (
            models.Index(fields=("tenant", "due_at"), name="request_open", condition=Q(closed_at__isnull=True)),
            models.Index(fields=("state", "id"), name="request_state"),
        )
        constraints = (
            models.CheckConstraint(name="request_moves_as_the_table_says", condition=legal_moves()),
            models.CheckConstraint(
                name="request_identity_is_settled_first",
                condition=~Q(state__in=_values(IDENTIFIED)) | (~Q(identity="") & Q(identity_verified_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="request_is_decided_first",
                condition=~Q(state__in=_values(DECIDED)) | (Q(decided_at__isnull=False) & ~Q(decided_by="")),
            ),
            models.CheckConstraint(
                name="request_refused_has_reason",
                condition=~Q(state__in=["refused", "partially_approved"]) | ~Q(decision_reason=""),
            ),
            models.CheckConstraint(
                name="request_closed_has_time", condition=Q(state__in=_values(CLOSED)) ^ Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="request_extended_has_reason", condition=Q(extended_at__isnull=True) ^ ~Q(extension_reason="")
            ),
            models.CheckConstraint(
                name="request_duplicate_of_another", condition=Q(duplicate_of__isnull=True) ^ Q(state="duplicate")
            ),
            models.CheckConstraint(name="request_code_tried_five_times", condition=Q(code_attempts__lte=5)),
        )

    def __str__(self) -> str:
        return f"{self.get_right_display()} {self.pk}"

    @property
    def is_open(self) -> bool:
        return State(self.state) not in CLOSED

    def days_left(self, today: date) -> int:
        """Until the last day, in the tenant's zone; negative when it is over. While the clock stands still, as it was
        when it stopped."""
        day = min(today, local_day(self.paused_since, self.zone)) if self.paused_since else today
        return (self.due_on - day).days


class SubjectRequestEvent(models.Model):
    """One thing that happened to a request. Only ever added; kept as long as the request is."""

    class Kind(models.TextChoices):
        MOVED = "moved", "Moved"
        EXTENDED = "extended", "Extended"
        PAUSED = "paused", "Clock stopped"
        RESUMED = "resumed", "Clock goes on"
        CODE_MADE = "code_made", "Code made"
        CODE_REFUSED = "code_refused", "Code refused"
        REMINDED = "reminded", "Reminder"
        DOWNLOADED = "downloaded", "Export downloaded"

    request = models.ForeignKey(SubjectRequest, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=16, choices=Kind)
    before = models.CharField(max_length=24, choices=STATES, blank=True)
    after = models.CharField(max_length=24, choices=STATES, blank=True)
    by = models.CharField(max_length=120)
    reason = models.TextField(blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} {self.after}".strip()


class RequestStep(models.Model):
    """What one store, or one duty, owes to a request. Idempotent: one that was cut off is taken again."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    request = models.ForeignKey(SubjectRequest, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    store = models.CharField(max_length=100, help_text="A registered store, or a duty such as `restriction`.")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    rows = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    try_at = models.DateTimeField(null=True, help_text="Not before this.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("request", "position")
        constraints = (
            models.UniqueConstraint(fields=("request", "store"), name="request_step_once"),
            models.CheckConstraint(
                name="request_step_done_has_time", condition=Q(state="done") ^ Q(done_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.store


class Rectification(models.Model):
    """A person's correction of what is stored about them, shown wherever their conversations are."""

    audit_secret_fields = frozenset({"statement"})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="rectifications")
    request = models.ForeignKey(SubjectRequest, on_delete=models.PROTECT, related_name="rectifications")
    transcript_id = models.UUIDField(null=True, blank=True, help_text="Empty: all of the person's conversations.")
    statement = models.BinaryField(editable=False, help_text="Encrypted under the person's own key.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at",)
        indexes = (models.Index(fields=("tenant", "subject"), name="rectification_subject"),)

    def __str__(self) -> str:
        return str(self.id)


class SubjectExport(models.Model):
    """A file with everything that is stored about one person, encrypted under their key: it dies with them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="exports")
    request = models.OneToOneField(SubjectRequest, on_delete=models.PROTECT, related_name="export")
    key_id = models.UUIDField(help_text="Of the subject key that it is under.")
    file_bytes = models.BigIntegerField(help_text="Of the file as it lies there, encrypted.")
    zip_sha256 = models.CharField(max_length=64, help_text="Of the zip file inside.")
    records = models.BigIntegerField()
    manifest = models.JSONField(default=dict, help_text="Signed: files, their hashes and counts.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_on = models.DateField(help_text="On this day the file is deleted.")
    downloads = models.PositiveIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="When the file was deleted.")

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=("expires_on",), name="export_due", condition=Q(deleted_at__isnull=True)),)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def unreadable(self) -> int:
        """How many records lack a text that could not be decrypted."""
        payload = self.manifest.get("payload", {})
        return sum(file.get("unreadable", 0) for file in payload.get("files", ()))
