"""What must not be deleted, whatever else says that it should."""

from django.db import models
from django.db.models import Q


class LegalHold(models.Model):
    """Keeps what it covers from every purge and every erasure. Two people place it, and two people lift it.

    It covers what matches all of its conditions that are not empty. They never change once it is requested, and no hold
    is ever deleted (sql/retention.sql).
    """

    class Scope(models.TextChoices):
        SUBJECT = "subject", "One person"
        TENANT = "tenant", "Everything of the tenant"
        KEY = "key", "One API key"
        PERIOD = "period", "A period"
        QUERY = "query", "A query"

    class State(models.TextChoices):
        REQUESTED = "requested", "Waits for approval"
        ACTIVE = "active", "Active"
        RELEASE_REQUESTED = "release_requested", "Active, release requested"
        RELEASED = "released", "Released"
        REFUSED = "refused", "Refused"

    IN_FORCE = (State.ACTIVE, State.RELEASE_REQUESTED)

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=100, help_text="As it is to be called in reports, without personal data.")
    matter = models.CharField(max_length=100, blank=True, help_text="The case's reference, e.g. of the court.")
    reason = models.TextField(help_text="Why it must be kept. No personal data.")
    scope = models.CharField(max_length=16, choices=Scope)
    surrogate = models.CharField(max_length=27, blank=True, verbose_name="person")
    api_key_id = models.BigIntegerField(null=True, blank=True, verbose_name="API key")
    application_id = models.BigIntegerField(null=True, blank=True, verbose_name="application")
    environment = models.CharField(max_length=16, blank=True)
    model = models.CharField(max_length=100, blank=True)
    outcome = models.CharField(max_length=32, blank=True)
    since = models.DateTimeField(null=True, blank=True, help_text="Of requests from then on (UTC).")
    until = models.DateTimeField(null=True, blank=True, help_text="Of requests before then (UTC).")
    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED, editable=False)
    requested_by = models.CharField(max_length=120, editable=False)
    requested_at = models.DateTimeField(auto_now_add=True)
    active_at = models.DateTimeField(null=True, editable=False)
    marked_at = models.DateTimeField(
        null=True, editable=False, help_text="When all that it covered had been set apart."
    )
    released_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = (
            # What the storing INSERT asks for.
            models.Index(
                fields=("tenant",), name="hold_in_force", condition=Q(state__in=("active", "release_requested"))
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="hold_conditions_fit_scope",
                condition=(
                    (Q(scope="subject") & ~Q(surrogate=""))
                    | Q(scope="tenant", surrogate="", api_key_id=None, since=None, until=None)
                    | Q(scope="key", api_key_id__isnull=False)
                    | (Q(scope="period") & (Q(since__isnull=False) | Q(until__isnull=False)))
                    | Q(scope="query")
                ),
                violation_error_message="The conditions do not fit the scope.",
            ),
            models.CheckConstraint(
                name="hold_query_only_for_queries",
                condition=Q(scope="query") | Q(application_id=None, environment="", model="", outcome=""),
                violation_error_message="Application, environment, model and outcome belong to a query.",
            ),
            models.CheckConstraint(
                name="hold_query_says_something",
                condition=~Q(scope="query")
                | Q(application_id__isnull=False)
                | ~Q(environment="")
                | ~Q(model="")
                | ~Q(outcome=""),
                violation_error_message="Say which application, environment, model or outcome.",
            ),
            models.CheckConstraint(
                name="hold_period_is_one",
                condition=Q(since=None) | Q(until=None) | Q(since__lt=models.F("until")),
                violation_error_message="It ends before it begins.",
            ),
            models.CheckConstraint(
                name="hold_released_has_time", condition=Q(state="released") ^ Q(released_at__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return self.title
