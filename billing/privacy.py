"""What this app keeps of people, column by column, in the main database and in the ledger's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from billing import of_person
from billing.actions import erasers
from billing.ledger.models import Hold, Meter, OutboxEntry
from billing.models import (
    Adjustment,
    Alert,
    AlertDelivery,
    AlertRule,
    AttributionTag,
    Budget,
    BudgetOverride,
    DroppedMonth,
    MeterBalance,
    Price,
    Reconciliation,
    ReconciliationLine,
    Subscription,
    Tier,
    TierLimit,
    UsageDay,
    UsageHour,
    UsageLatency,
    UsageRecord,
    UsageValue,
    WebhookEndpoint,
    WebhookSecret,
)
from compliance.registry import Class, Person, Store, register
from compliance.registry import classified as of
from compliance.stores import eraser, exported, is_named, table

BOOKS = "kept with the books; not removed yet"
ACCOUNTS = (
    "Kept without a name as accounting records (GDPR, 17(3)(b); the tenant's duty to keep books): the surrogate in"
    " it is "
    "nobody's any more. The retention of usage ends it."
)
SUMS = (
    "requests refused failed input_tokens cached_input_tokens cache_write_tokens output_tokens reasoning_tokens"
    " cost_nano"
    " estimated_nano"
)

USAGE = (
    table(
        UsageRecord,
        "Usage records",
        Class.USAGE,
        of(
            nothing="request_id at tenant_id application_id api_key_id environment model served_model service_tier"
            " provider"
            " upstream_model outcome code status streamed requests input_tokens cached_input_tokens cache_write_tokens"
            " output_tokens reasoning_tokens cost_nano estimated over_budget charged latency_ms first_token_ms"
            " overhead_us",
            surrogate="end_user",
            subject="tags",
        ),
        person="end_user",
        tenant="tenant_id",
        why="What each request cost. No content.",
        withheld=ACCOUNTS,
        purger="billing_usagerecord",
    ),
    table(
        UsageHour,
        "Usage by the hour",
        Class.USAGE,
        of(nothing=f"{SUMS} tenant_id hour application_id api_key_id environment model provider upstream_model"),
        tenant="tenant_id",
        why="Sums of usage records.",
    ),
    table(
        UsageDay,
        "Usage by the day",
        Class.USAGE,
        of(nothing=f"{SUMS} tenant_id day application_id api_key_id environment model provider upstream_model"),
        tenant="tenant_id",
        why="Sums of usage records.",
    ),
    table(
        UsageValue,
        "Usage by end user and tag",
        Class.USAGE,
        of(nothing=f"{SUMS} tenant_id kind tag day application_id", surrogate="value"),
        person="value",
        tenant="tenant_id",
        why="Sums of usage records.",
        withheld=ACCOUNTS,
        until=BOOKS,
    ),
    table(
        UsageLatency,
        "Latencies",
        Class.USAGE,
        of(nothing="tenant_id day bucket answered"),
        tenant="tenant_id",
        why="How fast requests were answered.",
    ),
    table(
        MeterBalance,
        "What dropped months had charged",
        Class.USAGE,
        of(nothing="meter_id before cost_nano"),
        why="Keeps budgets right when old records go.",
    ),
    table(
        DroppedMonth,
        "Dropped months",
        Class.USAGE,
        of(nothing="month requests cost_nano dropped_at"),
        why="Which records retention has dropped.",
    ),
    table(
        Adjustment,
        "Adjustments",
        Class.USAGE,
        of(
            nothing="id tenant_id request_id application_id api_key_id environment model tag amount_nano created_at at"
            " charged state applied_at meters",
            surrogate="end_user",
            subject="tag_value reason",
            staff="actor_kind actor_id",
        ),
        person="end_user",
        tenant="tenant_id",
        why="Corrections of what was charged.",
        withheld=ACCOUNTS,
        until=BOOKS,
    ),
)

LIMITS = (
    table(
        Budget,
        "Budgets",
        Class.POLICY,
        of(
            nothing="id tenant_id application_id api_key_id environment model tag each period starts_on ends_on mode"
            " downgrade_to limit_nano active created_at",
            surrogate="end_user",
            subject="tag_value name",
        ),
        person="end_user",
        tenant="tenant_id",
        why="How much requests may cost in a period.",
        erase=eraser(erasers.remove_budgets),
        remains=lambda person: Budget.objects.filter(tenant_id=person.tenant_id, end_user=person.surrogate).count(),
    ),
    table(
        BudgetOverride,
        "Overrides of budgets",
        Class.POLICY,
        of(nothing="id budget_id limit_nano starts_at ends_at created_at", subject="reason"),
        tenant="budget__tenant_id",
        person="budget__end_user",
        why="Other limits for a while.",
        severed="Each is deleted with its budget.",
    ),
    table(
        AttributionTag,
        "Attribution tags",
        Class.POLICY,
        of(nothing="id tenant_id key created_at"),
        tenant="tenant_id",
        why="Which tags are recorded.",
    ),
    table(
        Tier,
        "Tiers",
        Class.POLICY,
        of(
            nothing="id slug name requests_per_minute requests_per_hour requests_per_day tokens_per_minute concurrency"
            " output_tokens_cap separate_meters_most max_messages max_message_chars max_prompt_chars"
        ),
        why="Sets of limits.",
    ),
    table(TierLimit, "Limits of tiers", Class.POLICY, of(nothing="id tier_id scope measure per limit"), why="Limits."),
    table(
        Subscription,
        "Subscriptions",
        Class.POLICY,
        of(nothing="id tenant_id tier_id since"),
        tenant="tenant_id",
        why="Which tier a tenant has.",
    ),
    table(
        Price,
        "Prices",
        Class.POLICY,
        of(
            nothing="id provider model service_tier valid_from input_nano cached_input_nano cache_write_nano"
            " output_nano"
            " reasoning_nano search_nano request_nano source"
        ),
        why="What providers charge.",
    ),
    table(
        Reconciliation,
        "Reconciliations",
        Class.USAGE,
        of(
            nothing="id provider format starts_on ends_on tolerance_bp file_name file_sha256 rows ignored_rows"
            " ours_nano"
            " theirs_nano differing created_at",
            staff="actor_kind actor_id",
        ),
        why="Whether providers' invoices agree with the records.",
        until=BOOKS,
    ),
    table(
        ReconciliationLine,
        "Lines of reconciliations",
        Class.USAGE,
        of(
            nothing="id reconciliation_id day model side is_within ours_requests theirs_requests ours_input_tokens"
            " theirs_input_tokens ours_cached_tokens theirs_cached_tokens ours_output_tokens theirs_output_tokens"
            " ours_nano"
            " theirs_nano"
        ),
        why="The same by day and model.",
    ),
)


def _alerts(person: Person) -> Iterator[dict[str, Any]]:
    return exported(of_person.alerts(person).order_by("pk"), ALERT)


ALERT = of(
    nothing="id tenant_id rule_id kind period_start level created_at cleared_at",
    surrogate="subject label facts",
)
ALERTS = (
    replace(
        table(
            Alert,
            "Alert log",
            Class.METADATA,
            ALERT,
            tenant="tenant_id",
            why="Which limits were reached.",
            erase=eraser(erasers.delete_alerts),
            remains=lambda person: of_person.alerts(person).count(),
            until="until the person is erased; not removed by age yet",
        ),
        export=_alerts,
    ),
    table(
        AlertDelivery,
        "Deliveries of alerts",
        Class.METADATA,
        of(
            nothing="id channel endpoint_id message_id status attempts next_attempt_at leased_until response_code"
            " error created_at finished_at",
            surrogate="alert_id",
            staff="target",
        ),
        tenant="alert__tenant_id",
        withheld="The alert that it was about is deleted, and the delivery with it.",
        why="Who was told of alerts. Bodies of mails and webhooks are made when they are sent, and not kept.",
        until="as long as the alert that it was about",
    ),
    table(
        AlertRule,
        "Alert rules",
        Class.POLICY,
        of(
            nothing="id tenant_id name kind levels amount_nano notify_owners active muted_until created_at",
            staff="recipients",
        ),
        tenant="tenant_id",
        why="Who is to be told of what.",
    ),
    table(
        AlertRule.endpoints.through,
        "Endpoints of alert rules",
        Class.POLICY,
        of(nothing="id alertrule_id webhookendpoint_id"),
        why="Which webhook gets which alerts.",
    ),
    table(
        WebhookEndpoint,
        "Webhook endpoints",
        Class.POLICY,
        of(nothing="id tenant_id name url state failing_since disabled_because created_at"),
        tenant="tenant_id",
        why="Where alerts are sent.",
    ),
    table(
        WebhookSecret,
        "Secrets of webhooks",
        Class.POLICY,
        of(nothing="id endpoint_id created_at ends_at", opens="sealed"),
        why="Sign webhooks.",
    ),
)


def _meters(person: Person) -> Iterator[dict[str, Any]]:
    return exported(of_person.meters(person).order_by("pk"), METER)


def _on_the_way(person: Person) -> int:
    """Requests and records that still name somebody. They come to rest among usage records."""
    return of_person.holds(person).count() + of_person.outbox(person).count() if is_named(person) else 0


METER = of(nothing="id tenant_id used held tat_ns period_start period_end", surrogate="name")
LEDGER: tuple[Store, ...] = (
    replace(
        table(
            Meter,
            "Meters",
            Class.USAGE,
            METER,
            tenant="tenant_id",
            why="What has been used of each limit.",
            erase=eraser(erasers.delete_meters),
            remains=lambda person: of_person.meters(person).count(),
            until="until its period is over",
        ),
        export=_meters,
    ),
    table(
        Hold,
        "Requests on their way",
        Class.USAGE,
        of(
            nothing="request_id tenant_id cost_nano tokens admitted_at expires_at meter_ids kinds marks",
            surrogate="context",
        ),
        tenant="tenant_id",
        why="What admitted requests may still cost; minutes at most.",
        remains=_on_the_way,
        withheld=ACCOUNTS,
        until="minutes: until the request has ended",
    ),
    table(
        OutboxEntry,
        "Usage records on their way",
        Class.USAGE,
        of(nothing="seq", surrogate="record"),
        why="Become usage records within seconds.",
        withheld=ACCOUNTS,
        until="seconds: until it is a usage record",
    ),
    Store(
        name="tables.usage_rejected",
        title="Usage records that were refused",
        keeps=Class.USAGE,
        columns=of(nothing="seq error rejected_at", surrogate="record"),
        why="What the main database does not take is set aside, so that nothing is lost of the accounts.",
        withheld=ACCOUNTS,
        until="until somebody has looked into it; not removed yet",
    ),
    Store(
        name="tables.meter_entry",
        title="What meters were charged beside usage records",
        keeps=Class.USAGE,
        columns=of(nothing="id meter_id period_start amount_nano kind at"),
        why="So that each meter can be added up again.",
    ),
    Store(
        name="tables.adjusted",
        title="Adjustments that were charged",
        keeps=Class.USAGE,
        columns=of(nothing="id at"),
        why="So that each is charged once.",
    ),
)


def register_stores() -> None:
    """Registers what this app keeps; called once, when the apps are ready."""
    register(*USAGE, *LIMITS, *ALERTS, *LEDGER)
