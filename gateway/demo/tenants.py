"""Two rivals with their applications, keys and budgets."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.actions import applications, keys, tenants
from accounts.models import ApiKey, Application, Tenant
from billing.actions import budgets, tags, tiers
from billing.models import AttributionTag, Budget, Subscription, Tier
from billing.money import from_dollars
from compliance.contracts import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A tenant as it is to be: its tier's slug, and the names of its applications by slug."""

    slug: str
    name: str
    time_zone: str
    tier: str
    applications: dict[str, str]


ACME = Plan(
    slug="acme",
    name="Acme",
    time_zone="Europe/Berlin",
    tier="enterprise",
    applications={"support": "Support assistant", "search": "Product search", "reports": "Weekly reports"},
)
UMBRELLA = Plan(
    slug="umbrella",
    name="Umbrella",
    time_zone="America/New_York",
    tier="free",
    applications={"chatbot": "Website chatbot", "research": "Research notes"},
)
CALLER = ("acme", "support")
"""The application whose key is handed to whoever tries the demo."""


def seed(*, by: Actor) -> str:
    """Adds both tenants; returns the secret of the one key that somebody gets to see."""
    secret = ""
    for plan in (ACME, UMBRELLA):
        tenant = tenants.open(
            tenant=Tenant(slug=plan.slug, name=plan.name, time_zone=plan.time_zone),
            by=by,
        )
        tiers.subscribe(subscription=Subscription(tenant=tenant, tier=Tier.objects.get(slug=plan.tier)), by=by)
        for slug, name in plan.applications.items():
            application = applications.add(application=Application(tenant=tenant, slug=slug, name=name), by=by)
            keys.issue(application=application, name="service", environment="production", by=by)
            if (plan.slug, slug) == CALLER:
                _, secret = keys.issue(application=application, name="demo", environment="dev", by=by)
    _seed_tags(by=by)
    _seed_budgets(by=by)
    return secret


def _seed_tags(*, by: Actor) -> None:
    acme = Tenant.objects.get(slug=ACME.slug)
    tags.declare(tag=AttributionTag(tenant=acme, key="feature"), by=by)


def _seed_budgets(*, by: Actor) -> None:
    acme, umbrella = Tenant.objects.get(slug=ACME.slug), Tenant.objects.get(slug=UMBRELLA.slug)
    support = Application.objects.get(tenant=acme, slug="support")
    month, day, total = Budget.Period.MONTH, Budget.Period.DAY, Budget.Period.TOTAL
    hard, soft = Budget.Mode.HARD, Budget.Mode.SOFT
    downgrade, end_user, tag = Budget.Mode.DOWNGRADE, Budget.Each.END_USER, Budget.Each.TAG
    for budget, dollars in (
        (Budget(tenant=acme, name="All of Acme", period=month, mode=hard), "15"),
        (Budget(tenant=acme, name="Support, a day", application=support, period=day, mode=soft), "0.25"),
        (Budget(tenant=acme, name="Each person, a day", each=end_user, period=day, mode=hard), "0.50"),
        (Budget(tenant=acme, name="Each feature, a month", each=tag, tag="feature", period=month, mode=soft), "6"),
        (
            Budget(
                tenant=acme,
                name="Large model, a day",
                model="sandbox-large",
                period=day,
                mode=downgrade,
                downgrade_to="sandbox-small",
            ),
            "2",
        ),
        (Budget(tenant=umbrella, name="All of Umbrella", period=month, mode=hard), "5"),
        (Budget(tenant=umbrella, name="Trial credit", period=total, mode=hard), "4"),
    ):
        budget.limit_nano = from_dollars(Decimal(dollars))
        budgets.add(budget=budget, by=by)


def demo_keys() -> list[ApiKey]:
    """The keys of both tenants, with their applications and tenants at hand."""
    rows = ApiKey.objects.filter(tenant__slug__in=[ACME.slug, UMBRELLA.slug])
    return list(rows.select_related("application", "tenant").order_by("id"))
