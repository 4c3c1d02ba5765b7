"""The watchdog names what pins the ledger's server, only that, and ends it where that is configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings

from billing import ledger_health, pins, tasks
from billing.actions import watchdog
from billing.pins import Pin
from compliance.models import AuditEvent
from config.asgi import libpq_params
from tests.factories import THE_SYSTEM
from tests.system.processes import eventually

Connection = psycopg.Connection[Any]


@contextmanager
def a_session(alias: str, *, name: str = "psql", isolation: str = "READ COMMITTED") -> Iterator[Connection]:
    """A session in the middle of a transaction that has read."""
    params = {**libpq_params(alias), "application_name": name}
    connection = psycopg.connect(**params, autocommit=True)
    try:
        connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        connection.execute("SELECT 'a secret', 12345 FROM pg_class LIMIT 1")
        yield connection
    finally:
        connection.close()


def pin_of(connection: Connection) -> Pin | None:
    return next((pin for pin in pins.present() if pin.name == str(connection.info.backend_pid)), None)


@pytest.fixture(autouse=True)
def impatient(databases: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pins the ledger is named at once."""
    monkeypatch.setattr(watchdog, "NAMED_AFTER_S", 0.0)
    watchdog._named.clear()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was logged: level and fields."""
    written: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, _event: str, **fields: Any) -> None:
            written.append(("warning", fields))

        def error(self, _event: str, **fields: Any) -> None:
            written.append(("error", fields))

    monkeypatch.setattr(watchdog, "log", Log())
    return written


def named(lines: list[tuple[str, dict[str, Any]]], connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    """The lines about that session."""
    return [line for line in lines if line[1]["name"] == str(connection.info.backend_pid)]


def test_it_works(lines: list[tuple[str, dict[str, Any]]]) -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        tasks.watch_ledger()
        ((level, fields),) = named(lines, session)
    assert level == "warning"
    assert (fields["application_name"], fields["state"]) == ("psql", "idle in transaction")
    assert fields["database"] == libpq_params("ledger")["dbname"]
    assert fields["role"]


def test_with_a_look_each_5_s_everything_is_named_within_10() -> None:
    from config.celery import SCHEDULE

    (every_s,) = (entry["schedule"] for entry in SCHEDULE.values() if entry["task"] == "billing.tasks.watch_ledger")
    assert isinstance(every_s, float)
    assert every_s + ledger_health.NAMED_AFTER_S < 10


def test_a_statement_is_shown_without_what_it_is_about() -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        pin = pin_of(session)
    assert pin is not None
    assert pin.statement == "SELECT ?, ? FROM pg_class LIMIT ?"


def test_each_is_named_once_and_once_more_when_it_is_grave(
    lines: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        tasks.watch_ledger()
        tasks.watch_ledger()
        monkeypatch.setattr(watchdog, "GRAVE_AFTER_S", 0.0)
        tasks.watch_ledger()
        tasks.watch_ledger()
        assert [level for level, _ in named(lines, session)] == ["warning", "error"]
        pid = str(session.info.backend_pid)
    eventually(lambda: pid not in {pin.name for pin in pins.present()})
    tasks.watch_ledger()
    assert pid not in {identity[1] for identity in watchdog._named}


def test_who_reads_elsewhere_does_not_pin_the_ledger() -> None:
    with a_session("default", isolation="REPEATABLE READ") as session:
        assert pin_of(session) is None


def test_who_has_written_elsewhere_pins_the_whole_server() -> None:
    with a_session("default") as session:
        session.execute("CREATE TEMPORARY TABLE written (n int)")
        pin = pin_of(session)
    assert pin is not None
    assert pin.pins.startswith("the whole server")


def test_who_only_waits_between_statements_pins_nothing() -> None:
    with a_session("ledger") as session:
        assert pin_of(session) is None


def test_what_is_young_is_left_alone() -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        assert pin_of(session) is not None
        older = pins.present(older_than_s=3600)
        assert str(session.info.backend_pid) not in {pin.name for pin in older}


def test_nothing_is_ended_unless_configured() -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        tasks.watch_ledger()
        assert session.execute("SELECT 1").fetchone() == (1,)


@pytest.fixture
def ends_at_once(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WATCHDOG_END_AFTER_S = 1

    def age_s(pin: Pin) -> float:
        return 2.0

    monkeypatch.setattr(Pin, "age_s", property(age_s))


def test_when_configured_it_ends_them_and_the_audit_log_tells(ends_at_once: None) -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        pid = session.info.backend_pid
        tasks.watch_ledger()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    event = AuditEvent.objects.filter(target_kind="session", target_id=str(pid)).latest("pk")
    assert (event.action, event.actor_kind, event.outcome) == ("ledger.session_ended", "task", "success")
    assert event.after["application_name"] == "psql"
    assert "secret" not in str(event.after)


@pytest.mark.parametrize("name", ["portcullis worker", "pg_dump"], ids=["its own", "spared"])
def test_some_are_never_ended(ends_at_once: None, name: str) -> None:
    with a_session("ledger", name=name, isolation="REPEATABLE READ") as session:
        tasks.watch_ledger()
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_a_backup_may_be_ended_where_nobody_spares_it(ends_at_once: None, settings: LazySettings) -> None:
    settings.WATCHDOG_SPARES = []
    with a_session("ledger", name="pg_dump", isolation="REPEATABLE READ") as session:
        tasks.watch_ledger()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_who_went_on_meanwhile_is_not_ended_for_what_was() -> None:
    with a_session("ledger", isolation="REPEATABLE READ") as session:
        pin = pin_of(session)
        assert pin is not None
        session.execute("COMMIT")
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert not watchdog.end(pin=pin, by=THE_SYSTEM)
        assert session.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("alias", ["default", "ledger"])
def test_this_projects_connections_say_whose_they_are(alias: str) -> None:
    assert libpq_params(alias)["application_name"].startswith(watchdog.OURS)
