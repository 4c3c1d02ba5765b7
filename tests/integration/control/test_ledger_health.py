"""The page about the ledger, and what the front page warns of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from billing import ledger_health
from billing.ledger_health import Health
from billing.pins import Pin
from tests.factories.backups import a_backup_run
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PAGE = "/admin/ledger/"
WELL = Health(outbox=0, mover_lag_s=0, holds=0, oldest_hold_s=0, sweep_lag_s=0, rejected=0, pins=())

Is = Callable[[Health | Exception], None]


@pytest.fixture
def ledger_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> Is:
    """Somebody is signed in, and the ledger is as the test says."""
    client.force_login(an_admin())

    def be(health: Health | Exception) -> None:
        def now() -> Health:
            if isinstance(health, Exception):
                raise health
            return health

        monkeypatch.setattr(ledger_health, "now", now)

    return be


def a_pin(**fields: Any) -> Pin:
    values = {
        "kind": "session",
        "name": "4711",
        "database": "portcullis_ledger",
        "application": "psql",
        "role": "somebody",
        "state": "idle in transaction",
        "statement": "SELECT ?",
        "began": timezone.now(),
        "since": timezone.now() - timedelta(seconds=125),
        "transactions": 12_000,
        "wrote": False,
    }
    return Pin(**{**values, **fields})


def text(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_it_works(client: Client) -> None:
    client.force_login(an_admin())
    shown = text(client)
    assert "Usage records to move" in shown
    assert "What pins the ledger" in shown


def test_what_pins_it_is_named(client: Client, ledger_is: Is) -> None:
    slot = a_pin(kind="replication slot", name="standby_1", since=None, application="")
    ledger_is(replace(WELL, pins=(a_pin(), slot)))
    shown = text(client)
    for words in ("psql (process 4711)", "somebody", "portcullis_ledger", "idle in transaction", "open for 2 min"):
        assert words in shown
    assert "replication slot standby_1" in shown
    assert "12,000 transactions behind" in shown


def test_nothing_to_tell_is_told(client: Client, ledger_is: Is) -> None:
    ledger_is(WELL)
    shown = text(client)
    assert '<p class="pcl-empty">Nothing.</p>' in shown
    assert "all are in the main database" in shown
    assert "pcl-warn" not in shown


def test_a_ledger_that_does_not_answer(client: Client, ledger_is: Is) -> None:
    ledger_is(OperationalError("down"))
    assert "The ledger database does not answer" in text(client)
    assert "The ledger database does not answer" in text(client, "/admin/")


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({}, ""),
        ({"mover_lag_s": 600.0}, "Usage has not reached the reports for 10 min"),
        ({"sweep_lag_s": 600.0}, "Lost requests have not been charged for 10 min"),
    ],
    ids=["well", "mover", "sweep"],
)
def test_the_front_page_warns(client: Client, ledger_is: Is, fields: dict[str, Any], warning: str) -> None:
    for part in ("data", "keys"):
        a_backup_run(part)  # or it would warn of that
    ledger_is(replace(WELL, **fields))
    shown = text(client, "/admin/")
    assert ("pcl-warning" in shown) is bool(warning)
    assert warning in shown


def test_the_front_page_names_what_pins_it(client: Client, ledger_is: Is) -> None:
    ledger_is(replace(WELL, pins=(a_pin(),)))
    assert "The ledger is pinned by psql (process 4711), open for 2 min." in text(client, "/admin/")


def test_it_is_for_those_who_may_see_usage(client: Client) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.get(PAGE).status_code == 403
