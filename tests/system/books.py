"""Whether what a tenant used, what is held of its budgets and what it was charged agree, to the nano-dollar."""

from typing import Any

from billing.models import Budget
from billing.verification import differences
from tests.factories import a_budget
from tests.system import ledger
from tests.system.clients import Caller
from tests.system.processes import eventually


def with_budgets(caller: Caller, *, dollars: str = "100") -> Caller:
    """The caller, whose every request is charged to three nested budgets: its tenant's, application's and key's."""
    a_budget(caller.tenant, period="total", dollars=dollars)
    a_budget(caller.tenant, application=caller.application, period="day", dollars=dollars)
    a_budget(caller.tenant, api_key=caller.key, period="month", dollars=dollars)
    return caller


def balanced(caller: Caller) -> list[dict[str, Any]]:
    """The tenant's usage records, as soon as nothing is held any more.

    Fails unless every admitted request has one record, every budget has used what its requests cost, and no meter
    holds anything.
    """
    eventually(lambda: ledger.holds_of(caller.tenant) == 0)
    records = ledger.usages_of(caller.tenant)
    ids = [record["request_id"] for record in records if record["outcome"] != "refused"]
    assert len(set(ids)) == len(ids), "a request is recorded once"
    assert ledger.held_by(caller.tenant) == 0
    assert differences(tenant_id=caller.tenant.pk, checks=1) == []
    for budget in Budget.objects.filter(tenant=caller.tenant):
        cost = sum(record.get("cost_nano", 0) for record in records if _is_charged_to(budget, record))
        assert sum(ledger.used_of_each(budget).values()) == cost, budget
    return records


def swept(caller: Caller) -> list[dict[str, Any]]:
    """As `balanced`, after one sweep in which the leases of what is still held have run out."""
    ledger.expire_holds_of(caller.tenant)
    return balanced(caller)


def reached(records: list[dict[str, Any]]) -> int:
    """How many of those requests the upstream may have seen: of the others no input was charged."""
    return sum(1 for record in records if record.get("input_tokens"))


def _is_charged_to(budget: Budget, record: dict[str, Any]) -> bool:
    scope = (("application_id", budget.application_id), ("api_key_id", budget.api_key_id))
    return all(wanted is None or record[name] == wanted for name, wanted in scope)
