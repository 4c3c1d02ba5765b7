"""What an alert says, to people and to programs."""

from datetime import datetime
from typing import Any

from accounts import claims
from billing import money
from billing.models import Alert, AlertKind, Budget
from billing.models.alerts import ANNOUNCED

CLAIM = "claim_id"
HIDDEN = frozenset({CLAIM, "key_id"})
"""Facts that are for programs only."""
MOMENTS = frozenset({"until", "ends", "at", "ends_at", "old_key_works_until", "last_used_at"})
"""Facts that are times, as ISO 8601 texts."""

DOLLARS = "_nano"
"""Facts whose name ends so are nano-dollars; programs are told dollars, as texts: JSON's numbers may lose digits."""

SHOWN = {
    "used_nano": "Used",
    "projected_nano": "Projected",
    "limit_nano": "Limit",
    "limit": "Limit",
    "percent": "Used, per cent",
    "ends": "Period ends",
    "spent_nano": "Spent",
    "amount_nano": "Amount of the rule",
    "usual_nano": "Usual (median)",
    "most_usual_nano": "Most that is usual",
    "until": "Until",
    "reason": "Why",
}
"""What of an alert's facts people see, and as what."""


def headline(alert: Alert) -> str:
    """One line, such as `Reached 80 %: Chat has used 84 % of $100.00`."""
    facts = alert.facts
    match AlertKind(alert.kind):
        case AlertKind.BUDGET:
            used = f"has used {facts['percent']} % of {_money(facts, 'limit')}"
            return f"Reached {alert.level} %: {alert.label} {used}"
        case AlertKind.SOFT:
            return f"{alert.label} has exceeded its soft limit of {_money(facts, 'limit')}: {_money(facts, 'used')}"
        case AlertKind.PROJECTED:
            expected, limit = _money(facts, "projected"), _money(facts, "limit")
            return f"{alert.label} is heading for {expected} of {limit} by the end of its period"
        case AlertKind.DAILY | AlertKind.WEEKLY:
            return f"{alert.label}: {_money(facts, 'spent')}, which is at least {_money(facts, 'amount')}"
        case AlertKind.UNUSUAL:
            until = f"{datetime.fromisoformat(facts['until']):%Y-%m-%d %H:%M} UTC"
            spent, usual = _money(facts, "spent"), _money(facts, "usual")
            return f"{alert.label}, until {until}: {spent}, where {usual} is usual"
        case AlertKind.RATE:
            return f"{alert.label}: {facts['percent']} % of {facts['limit']:,} are used"
        case AlertKind.ENDPOINT_DISABLED:
            return f"{alert.label} gets no more alerts: {facts['reason']}"
        case AlertKind.TEST:
            return f"A test of {alert.label}"
        case _:  # what other apps announce; their labels are words for people
            return f"{alert.get_kind_display()}: {alert.label}"


def event_type(alert: Alert) -> str:
    """As Standard Webhooks wants event types: words and dots."""
    return f"alert.{alert.kind}"


def payload(alert: Alert) -> dict[str, Any]:
    """The message of a webhook; the same for each attempt."""
    tenant, began = alert.tenant, period_start(alert)
    return {
        "type": event_type(alert),
        "timestamp": alert.created_at.isoformat(),
        "data": {
            "alert_id": alert.pk,
            "tenant": tenant.slug if tenant else None,
            "subject": alert.subject,
            "label": alert.label,
            "level_percent": alert.level,
            "period_start": began.isoformat() if began else None,
            "message": headline(alert),
            **{_name(name): _value(name, value) for name, value in alert.facts.items()},
            **({"claim_url": claim_url(alert) or None} if CLAIM in alert.facts else {}),
        },
    }


def period_start(alert: Alert) -> datetime | None:
    """None of a budget that never starts anew."""
    return None if alert.facts.get("period") == Budget.Period.TOTAL else alert.period_start


def values(alert: Alert) -> list[tuple[str, str]]:
    """The facts as people read them, name and value."""
    if alert.kind in ANNOUNCED:
        return [(_in_words(fact), _shown(fact, value)) for fact, value in alert.facts.items() if fact not in HIDDEN]
    return [(name, _shown(fact, alert.facts[fact])) for fact, name in SHOWN.items() if fact in alert.facts]


def claim_url(alert: Alert) -> str:
    """The link that an alert of a rotation hands out, as long as nobody has used it. It is in no table as text."""
    claim = alert.facts.get(CLAIM)
    return claims.url_of(int(claim)) if claim else ""


def _shown(fact: str, value: Any) -> str:
    if fact.endswith(DOLLARS):
        return money.show(value)
    if fact in MOMENTS:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _in_words(fact: str) -> str:
    words = fact.removesuffix("_at").replace("_", " ")
    return words[:1].upper() + words[1:]


def _money(facts: dict[str, Any], name: str) -> str:
    return money.show(facts[name + DOLLARS])


def _name(name: str) -> str:
    return name.removesuffix(DOLLARS) + "_dollars" if name.endswith(DOLLARS) else name


def _value(name: str, value: Any) -> Any:
    return f"{money.to_dollars(value):f}" if name.endswith(DOLLARS) else value
