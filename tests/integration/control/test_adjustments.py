"""Adjustments reach the budgets they belong to once, whenever a process dies."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import ApiKey
from billing.actions import adjustments, usage
from billing.models import Adjustment, Budget
from billing.verification import differences
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_budget, a_key
from tests.factories.compliance import a_subject
from tests.factories.ledger import admit, query, settle

pytestmark = pytest.mark.usefixtures("databases")


@pytest.fixture
def key() -> ApiKey:
    return a_key()[0]


def an_adjustment(key: ApiKey, *, nano: int = -30, **fields: Any) -> Adjustment:
    adjustment = Adjustment(tenant=key.tenant, amount_nano=nano, reason="invoice 17", **fields)
    return adjustments.add(adjustment=adjustment, by=THE_SYSTEM)


def used(budget: Budget, *, apart: str = "") -> int | None:
    name = budget.meter_name + apart
    rows = query("SELECT used FROM meter WHERE tenant_id = %s AND name = %s", [budget.tenant_id, name])
    return int(rows[0][0]) if rows else None


def a_request(key: ApiKey, *budgets: Budget, cost: int = 70) -> str:
    """A settled request of which the main database knows."""
    names = [budget.meter_name for budget in budgets]
    request_id = admit(key.tenant_id, *names, period=budgets[0].ledger_period)
    settle(request_id, cost=cost)
    usage.empty_outbox()
    return request_id


def test_it_works(key: ApiKey) -> None:
    budget, other = a_budget(key.tenant), a_budget(key.tenant)
    request_id = a_request(key, budget)
    made = an_adjustment(key, nano=-30, request_id=request_id)
    made.refresh_from_db()
    assert (made.state, made.meters) == ("applied", [budget.meter_name])
    assert (used(budget), used(other)) == (40, None)
    assert differences(tenant_id=key.tenant_id) == []
    events = AuditEvent.objects.filter(target_kind="adjustment", target_id=str(made.pk)).order_by("pk")
    assert [event.action for event in events] == ["adjustment.created", "adjustment.applied"]
    assert events[0].reason == "invoice 17"


def test_a_credit_may_leave_less_than_nothing_used(key: ApiKey) -> None:
    budget = a_budget(key.tenant)
    an_adjustment(key, nano=-500)
    assert used(budget) == -500
    assert differences(tenant_id=key.tenant_id) == []
    settle(admit(key.tenant_id, budget.meter_name, period="month"), cost=100)
    assert used(budget) == -400
    assert differences(tenant_id=key.tenant_id) == []


def test_a_request_of_a_period_that_is_over_changes_nothing_of_this_one(key: ApiKey) -> None:
    daily, total = a_budget(key.tenant, period="day"), a_budget(key.tenant, period="total")
    request_id = a_request(key, daily)
    settle(admit(key.tenant_id, total.meter_name), cost=5)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_usagerecord SET at = at - interval '2 days', "
            "charged = charged || (SELECT %s::bigint[]) WHERE request_id = %s",
            [
                [meter_id for (meter_id,) in query("SELECT id FROM meter WHERE name = %s", [total.meter_name])],
                request_id,
            ],
        )
    made = an_adjustment(key, request_id=request_id)
    made.refresh_from_db()
    assert made.meters == [total.meter_name]
    assert (used(daily), used(total)) == (70, -25)


CRASHES = ["_adjust", "_mark_applied"]


@pytest.mark.parametrize("point", CRASHES, ids=["before the ledger knows", "before the row is marked"])
def test_a_process_that_dies_leaves_it_pending_and_the_next_run_applies_it_once(
    point: str, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = a_budget(key.tenant)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(adjustments, point, die)
        with pytest.raises(KeyboardInterrupt):
            an_adjustment(key, nano=-30)
    (made,) = Adjustment.objects.filter(tenant=key.tenant)
    assert made.state == Adjustment.State.PENDING
    adjustments.apply_pending()
    adjustments.apply_pending()
    made.refresh_from_db()
    assert (made.state, made.meters) == (Adjustment.State.APPLIED, [budget.meter_name])
    assert used(budget) == -30
    assert differences(tenant_id=key.tenant_id) == []


def test_a_ledger_that_is_away_keeps_it_pending(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = a_budget(key.tenant)

    def away(_: Adjustment) -> list[str]:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(adjustments, "_adjust", away)
        made = an_adjustment(key)
    assert used(budget) is None
    adjustments.apply_pending()
    made.refresh_from_db()
    assert made.state == Adjustment.State.APPLIED
    assert used(budget) == -30


def test_what_is_rolled_back_was_never_made(key: ApiKey) -> None:
    budget = a_budget(key.tenant)
    with transaction.atomic():
        an_adjustment(key)
        transaction.set_rollback(True)
    assert used(budget) is None
    assert not Adjustment.objects.filter(tenant=key.tenant).exists()


Scope = Callable[[ApiKey], dict[str, Any]]
SCOPES: list[tuple[str, Scope, Scope, bool]] = [
    ("the tenant's own", lambda key: {}, lambda key: {}, True),
    ("an application's, of the whole tenant", lambda key: {"application": key.application}, lambda key: {}, False),
    ("the tenant's own, of a key", lambda key: {}, lambda key: {"api_key": key}, True),
    ("a key's, of that key", lambda key: {"api_key": key}, lambda key: {"api_key": key}, True),
    ("its application's, of a key", lambda key: {"application": key.application}, lambda key: {"api_key": key}, True),
    ("an environment's, of a key", lambda key: {"environment": "dev"}, lambda key: {"api_key": key}, True),
    ("another environment's", lambda key: {"environment": "production"}, lambda key: {"api_key": key}, False),
    ("a model's", lambda key: {"model": "gpt"}, lambda key: {"model": "gpt"}, True),
    ("another model's", lambda key: {"model": "gpt"}, lambda key: {"model": "gpt-2"}, False),
    ("an inactive one", lambda key: {"active": False}, lambda key: {}, False),
]


@pytest.mark.parametrize(("budget", "scope", "changes"), [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES])
def test_it_changes_the_budgets_whose_scope_it_names(key: ApiKey, budget: Scope, scope: Scope, changes: bool) -> None:
    row = a_budget(key.tenant, **budget(key))
    an_adjustment(key, nano=25, **scope(key))
    assert used(row) == (25 if changes else None)
    assert differences(tenant_id=key.tenant_id) == []


def test_of_a_budget_that_counts_apart_it_changes_the_one_that_it_names(key: ApiKey) -> None:
    person = a_subject(key.tenant, "maria").surrogate
    budget = a_budget(key.tenant, each="end_user")
    an_adjustment(key, nano=25, end_user=person)
    an_adjustment(key, nano=1)
    assert used(budget, apart=f"#{person}") == 25
    assert used(budget, apart="#-") is None


def test_a_request_cannot_be_credited_more_than_it_has_cost(key: ApiKey) -> None:
    request_id = a_request(key, a_budget(key.tenant), cost=70)
    an_adjustment(key, nano=-50, request_id=request_id)
    with pytest.raises(ValidationError, match="credit at most"):
        an_adjustment(key, nano=-21, request_id=request_id)
    an_adjustment(key, nano=-20, request_id=request_id)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"nano": 0}, id="nothing"),
        pytest.param({"nano": 10**18}, id="more than anybody spends"),
        pytest.param({"request_id": uuid.uuid4()}, id="an unknown request"),
        pytest.param({"tag": "feature"}, id="a tag without value"),
    ],
)
def test_what_makes_no_sense_is_refused(key: ApiKey, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        an_adjustment(key, **fields)


def test_another_tenants_rows_are_refused(key: ApiKey) -> None:
    with pytest.raises(ValidationError, match="another tenant"):
        an_adjustment(key, api_key=a_key()[0])


def test_another_tenants_request_is_unknown(key: ApiKey) -> None:
    other = a_key()[0]
    request_id = a_request(other, a_budget(other.tenant))
    with pytest.raises(ValidationError, match="no usage record"):
        an_adjustment(key, request_id=request_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_adjustment SET amount_nano = 1 WHERE id = %s",
        "UPDATE billing_adjustment SET state = 'pending', applied_at = NULL WHERE id = %s",
        "DELETE FROM billing_adjustment WHERE id = %s",
    ],
    ids=["changed", "pending again", "deleted"],
)
def test_an_adjustment_stays_as_it_is(key: ApiKey, statement: str) -> None:
    made = an_adjustment(key)
    with pytest.raises(DatabaseError, match="only grow"), connection.cursor() as cursor:
        cursor.execute(statement, [made.pk])


def test_an_adjustment_of_yesterday_that_comes_late_changes_nothing_of_today(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily, total = a_budget(key.tenant, period="day"), a_budget(key.tenant, period="total")
    made = an_adjustment(key, at=timezone.now() - timedelta(days=2))
    made.refresh_from_db()
    assert made.meters == [total.meter_name]
    assert (used(daily), used(total)) == (0, -30)
