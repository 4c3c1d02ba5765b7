"""The worker as it is started by `manage.py up`, with its clock."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Alert, AlertDelivery, AlertKind
from compliance.models import JobRun
from config import broker, programs
from config.asgi import libpq_params
from config.celery import configuration
from tests.factories import a_tenant
from tests.factories.alerts import an_endpoint
from tests.system.processes import Server, _environment, database_urls, eventually

pytestmark = pytest.mark.system


@pytest.fixture
def worker(databases: None, tmp_path: Path) -> Iterator[Server]:
    environment = {**_environment(), **database_urls(), "VAR_DIR": str(tmp_path), "WEBHOOKS_INSIDE": "true"}
    command = [part if "schedule" not in part else str(tmp_path / "schedule") for part in programs.worker().command]
    server = Server(*command, log=tmp_path / "worker.log", environment=environment)
    yield server
    server.close()


@pytest.mark.opens_transactions("what pins the ledger is what the test is about")
def test_what_pins_the_ledger_is_named_within_ten_seconds(worker: Server) -> None:
    with pinning() as first:
        eventually(lambda: is_named(worker, first), within_s=60)  # it starts meanwhile
    with pinning() as second:
        eventually(lambda: is_named(worker, second), within_s=10)


@pytest.mark.opens_transactions("what pins the ledger is how the others are seen to go on")
def test_an_endpoint_that_hangs_holds_up_nothing_but_alerts(worker: Server, settings: Any) -> None:
    settings.WEBHOOKS_INSIDE = True
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(60)  # it starts meanwhile
        with waiting_alerts(f"http://127.0.0.1:{listener.getsockname()[1]}/", count=9) as alerts:
            hanging, _ = listener.accept()
            with closing(hanging), pinning() as session:
                eventually(lambda: is_named(worker, session), within_s=10)
                assert alerts.filter(status=AlertDelivery.Status.PENDING, leased_until__gt=timezone.now()).count() == 9


@pytest.mark.opens_transactions("what pins the ledger is how the first is seen to take tasks")
def test_what_takes_minutes_is_left_to_a_worker_of_its_own(worker: Server, tmp_path: Path) -> None:
    task = "compliance.tasks.redact_late_events"
    runs, messages = JobRun.objects.filter(kind="redact_late"), tmp_path / "celery" / "messages"
    runs.delete()
    with Celery("test", set_as_current=False) as sender:
        options = {"broker_transport_options": broker.options(tmp_path / "celery")}
        sender.conf.update({**configuration(), **options, "beat_schedule": {}})
        with pinning() as session:  # it takes what is its own
            eventually(lambda: is_named(worker, session), within_s=60)
            sender.send_task(task)
            eventually(lambda: bool(list(messages.glob("*.long.msg"))), within_s=10)
        with pinning() as session:
            eventually(lambda: is_named(worker, session), within_s=10)
    assert not runs.exists()
    environment = {**_environment(), **database_urls(), "VAR_DIR": str(tmp_path)}
    other = Server(*programs.long_worker().command, log=tmp_path / "long.log", environment=environment)
    try:
        eventually(lambda: runs.filter(state=JobRun.State.DONE).exists(), within_s=60)
    finally:
        other.close()
        runs.delete()


def is_named(worker: Server, session: "psycopg.Connection[Any]") -> bool:
    lines = [line for line in worker.log_lines() if line["event"] == "the ledger is pinned"]
    return any(line["name"] == str(session.info.backend_pid) for line in lines)


@contextmanager
def waiting_alerts(url: str, *, count: int) -> Iterator[QuerySet[AlertDelivery]]:
    """So many alerts that are due at an endpoint: more than are sent at once, so that a run waits for it twice."""
    tenant = a_tenant()
    endpoint, _ = an_endpoint(url, tenant=tenant)
    now = timezone.now()
    try:
        for number in range(count):
            alert = Alert.objects.create(
                tenant=tenant, kind=AlertKind.TEST, subject=f"test {number}", label="Test", period_start=now
            )
            AlertDelivery.objects.create(
                alert=alert, channel=AlertDelivery.Channel.WEBHOOK, target=url, endpoint=endpoint, next_attempt_at=now
            )
        yield AlertDelivery.objects.filter(endpoint=endpoint)
    finally:
        Alert.objects.filter(tenant=tenant).delete()


@contextmanager
def pinning() -> Iterator["psycopg.Connection[Any]"]:
    """A session that holds a snapshot of the ledger, and has lifted the limit that would end it after 5 s."""
    connection = psycopg.connect(**libpq_params("ledger"), autocommit=True)
    try:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM meter")
        yield connection
    finally:
        connection.close()
