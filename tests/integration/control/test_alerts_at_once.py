"""Two evaluators, and two runs that deliver: rows that both see, so nothing here is rolled back."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from accounts.models import Tenant
from billing.actions import alert_deliveries, alerts, webhooks
from billing.models import Alert, AlertDelivery, AlertRule
from tests.factories import THE_SYSTEM, a_budget, a_tenant
from tests.factories.alerts import an_alert_rule, an_endpoint, metered
from tests.factories.receiver import Receiver, receiving

pytestmark = pytest.mark.usefixtures("databases")

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def acme() -> Iterator[Tenant]:
    """With a budget of which 85 % are used, and a rule; what is left of it concerns no other test."""
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    metered(tenant, budget.meter_name, start=MAY, end=JUNE, dollars=85)
    rule = an_alert_rule(tenant=tenant, to="ops@acme.example")
    yield tenant
    AlertDelivery.objects.filter(alert__tenant=tenant).delete()
    AlertRule.objects.filter(pk=rule.pk).update(active=False)


def both(work: Callable[[], object]) -> list[BaseException]:
    """Two threads that begin together; returns what they raised."""
    start, errors = threading.Barrier(2), []

    def run() -> None:
        try:
            start.wait(timeout=30)
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def levels(tenant: Tenant) -> list[int]:
    return sorted(Alert.objects.filter(tenant=tenant).values_list("level", flat=True))


def test_a_crossing_is_told_once_whoever_looks(acme: Tenant) -> None:
    def look() -> None:
        for _ in range(20):
            alerts.look_at_meters(at=NOON)

    assert both(look) == []
    assert levels(acme) == [50, 80]
    assert AlertDelivery.objects.filter(alert__tenant=acme).count() == 1, (
        "of several levels at once, the highest is told"
    )


def test_the_database_refuses_the_second_where_both_look_at_once(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock that gives one of them the turn: one commits, the other writes neither alerts nor deliveries."""
    seen = threading.Barrier(2)
    tell = alerts._tell

    def tell_together(*arguments: Any) -> int:
        seen.wait(timeout=30)
        return tell(*arguments)

    monkeypatch.setattr(alerts, "_take_turn", lambda: True)
    monkeypatch.setattr(alerts, "_rules_in_force", lambda _: [(AlertRule.objects.get(tenant=acme), [acme])])
    monkeypatch.setattr(alerts, "_tell", tell_together)
    (error,) = both(lambda: alerts.look_at_meters(at=NOON))
    assert isinstance(error, IntegrityError)
    assert "alert_once_per_crossing" in str(error)
    assert levels(acme) == [50, 80]
    assert AlertDelivery.objects.filter(alert__tenant=acme).count() == 1, (
        "of several levels at once, the highest is told"
    )


def test_one_that_has_the_turn_is_not_waited_for(acme: Tenant) -> None:
    holds_turn, may_end = threading.Event(), threading.Event()

    def hold_turn() -> None:
        with transaction.atomic():
            assert alerts._take_turn()
            holds_turn.set()
            may_end.wait(timeout=30)
        connections.close_all()

    other = threading.Thread(target=hold_turn)
    other.start()
    assert holds_turn.wait(timeout=30)
    try:
        assert alerts.look_at_meters(at=NOON) == 0
        assert levels(acme) == []
    finally:
        may_end.set()
        other.join()


def test_a_look_leaves_no_transaction_open_in_the_ledger(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    tell = alerts._tell

    def watch(*arguments: Any) -> int:
        states.append(connections["ledger"].in_atomic_block)
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in %%'",
                [connections["ledger"].settings_dict["NAME"]],
            )
            states.append(cursor.fetchone()[0])
        return tell(*arguments)

    monkeypatch.setattr(alerts, "_tell", watch)
    alerts.look_at_meters(at=NOON)
    assert states
    assert set(states) == {False}


def test_two_runs_deliver_each_message_once(acme: Tenant, settings: Any) -> None:
    settings.WEBHOOKS_INSIDE = True
    with receiving() as receiver:
        _deliver_with_two(acme, receiver)
    ids = [headers["webhook-id"] for headers, _ in receiver.messages]
    assert len(ids) == 30
    assert len(set(ids)) == 30


def _deliver_with_two(acme: Tenant, receiver: Receiver) -> None:
    endpoint, _ = an_endpoint(receiver.url, tenant=acme)
    for _ in range(30):
        webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    at = datetime.now(UTC) + timedelta(seconds=1)
    waiting = AlertDelivery.objects.filter(endpoint=endpoint, status=AlertDelivery.Status.PENDING)

    def deliver() -> None:
        while waiting.exists():
            alert_deliveries.deliver(at=at)

    assert both(deliver) == []
    webhooks.pause(endpoint=endpoint, by=THE_SYSTEM)
