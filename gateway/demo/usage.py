"""Fills the usage table with two weeks of traffic, and the budgets with what it cost."""

from datetime import datetime, timedelta
from itertools import islice

from django.db import connections
from django.db.models import Max, Q, Sum
from django.utils import timezone

from accounts.actions import secret_uses
from accounts.models import ApiKey, Tenant
from billing.actions import ledger, usage
from billing.models import Budget, UsageRecord
from billing.money import Rates
from compliance.actions import subjects
from compliance.contracts import Actor
from compliance.lookups import lookups_of
from gateway.demo import tenants, traffic, upstreams
from gateway.demo.traffic import Caller, Habit

HABITS = {
    "support": Habit(
        an_hour=22,
        prompt_tokens=900,
        answer_tokens=250,
        large=0.15,
        streamed=0.9,
        refused=0.01,
        features=("chat", "chat", "summary"),
    ),
    "search": Habit(
        an_hour=30,
        prompt_tokens=400,
        answer_tokens=60,
        large=0.0,
        streamed=0.1,
        refused=0.02,
        features=("search", "search", "rewrite"),
    ),
    "reports": Habit(an_hour=3, prompt_tokens=6000, answer_tokens=900, large=0.9, streamed=0.0, refused=0.0),
    "chatbot": Habit(an_hour=8, prompt_tokens=700, answer_tokens=200, large=0.2, streamed=0.8, refused=0.12),
    "research": Habit(an_hour=2, prompt_tokens=3000, answer_tokens=600, large=0.8, streamed=0.3, refused=0.05),
}
"""By the application's slug."""

WITH_END_USERS = ("support", "chatbot")
END_USERS = 40
ISSUED = timedelta(days=traffic.DAYS + 1)
"""So long ago, before the history begins."""


def seed() -> None:
    """Inserts the records, ending now."""
    now = timezone.now()
    callers = [_caller(key) for key in tenants.demo_keys() if key.environment == "production"]
    records = iter(traffic.history(callers, rates=_rates(), until=now))
    while slice_ := list(islice(records, usage.SLICE)):
        usage.insert_records(records=slice_)


def date_keys() -> None:
    """Lets the keys be older than what they were used for, and their secrets have been used when they were."""
    found = tenants.demo_keys()
    issued = timezone.now() - ISSUED
    ApiKey.objects.filter(pk__in=[key.pk for key in found]).update(created_at=issued, secret_since=issued)
    newest = UsageRecord.objects.filter(api_key_id__in=[key.pk for key in found]).values("api_key_id")
    used = dict(newest.annotate(last=Max("at")).values_list("api_key_id", "last"))
    secret_uses.note_uses(times={key.public_id: used[key.pk].timestamp() for key in found if key.pk in used})


def open_balances(*, by: Actor) -> None:
    """Lets each budget begin with what its period has cost so far. Those with one limit for each begin at zero."""
    for budget in Budget.objects.filter(each="").select_related("tenant", "application"):
        ledger.open_balance(budget=budget, used_nano=_spent_nano(budget), by=by)


def _caller(key: ApiKey) -> Caller:
    return Caller(
        tenant_id=key.tenant_id,
        application_id=key.application_id,
        api_key_id=key.pk,
        environment=key.environment,
        time_zone=key.tenant.time_zone,
        habit=HABITS[key.application.slug],
        end_users=_end_users(key.tenant) if key.application.slug in WITH_END_USERS else (),
    )


def _end_users(tenant: Tenant) -> tuple[str, ...]:
    names = [f"user-{number}" for number in range(1, END_USERS + 1)]
    lookups = lookups_of(tenant.pk, names)
    known = subjects.resolve(tenant_id=tenant.pk, wanted={lookups[name]: name for name in names})
    return tuple(known[lookups[name]].surrogate for name in names)


def _rates() -> dict[str, Rates]:
    return {name: Rates(**nano, cache_write_nano=0) for name, nano in upstreams.SANDBOX_MODELS.items()}


def _spent_nano(budget: Budget) -> int:
    matching = Q(tenant_id=budget.tenant_id, at__gte=_period_start(budget))
    if budget.application_id:
        matching &= Q(application_id=budget.application_id)
    if budget.api_key_id:
        matching &= Q(api_key_id=budget.api_key_id)
    if budget.model:
        matching &= Q(model=budget.model)
    return int(UsageRecord.objects.filter(matching).aggregate(spent=Sum("cost_nano"))["spent"] or 0)


def _period_start(budget: Budget) -> datetime:
    with connections["ledger"].cursor() as cursor:
        values = [budget.period, budget.tenant.time_zone]
        cursor.execute("SELECT starts FROM period_bounds(%s, %s, clock_timestamp())", values)
        starts: datetime = cursor.fetchone()[0]
        return starts
