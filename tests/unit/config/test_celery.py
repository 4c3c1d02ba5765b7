"""The Celery app, its table of schedules, and the broker made of files."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery, current_app
from celery.schedules import crontab

from compliance.purging.plans import RUNS_AT
from config import broker, programs
from config.celery import SCHEDULE, app, configuration, expires_s
from config.env import BASE_DIR
from config.queues import LONG, SHORT, TAKES_LONG


def test_every_scheduled_task_exists_and_expires() -> None:
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] > 0
    assert len(app.conf.beat_schedule) == len(SCHEDULE)


@pytest.mark.parametrize(
    ("schedule", "expires"),
    [
        pytest.param(1.0, 10, id="every second"),
        pytest.param(60.0, 60, id="every minute"),
        pytest.param(crontab(minute=50), 6 * 3600, id="hourly"),
        pytest.param(crontab(hour=3, minute=20), 6 * 3600, id="daily"),
    ],
)
def test_a_task_waits_for_a_worker_as_long_as_its_next_one_is_away(schedule: float | crontab, expires: float) -> None:
    assert expires_s(schedule) == expires


def test_the_pages_of_retention_know_when_the_purge_runs() -> None:
    assert SCHEDULE["purge what is due"]["schedule"] == crontab(hour=RUNS_AT.hour, minute=RUNS_AT.minute)


def test_every_schedule_is_in_the_operations_guide() -> None:
    text = (BASE_DIR / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("\n## Schedules\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert sorted(rows[1:]) == sorted(SCHEDULE)


def test_everything_runs_by_utc_and_keeps_no_results() -> None:
    assert str(app.conf.timezone) == "UTC"
    assert app.conf.enable_utc
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None


def test_another_broker_is_used_as_it_is(settings: pytest.FixtureRequest) -> None:
    settings.CELERY_BROKER_URL = "amqp://somewhere"  # type: ignore[attr-defined]
    assert configuration()["broker_url"] == "amqp://somewhere"
    assert "broker_transport" not in configuration()


def test_what_takes_minutes_has_a_queue_and_a_worker_of_its_own() -> None:
    """Sent from anywhere: usage moves each second, and leaked keys end within seconds."""
    app.loader.import_default_modules()
    assert set(TAKES_LONG) <= set(app.tasks)
    queues = {task: app.amqp.router.route({}, task)["queue"] for task in {each["task"] for each in SCHEDULE.values()}}
    assert {task for task, queue in queues.items() if queue.name == LONG} == set(TAKES_LONG)
    assert {queue.routing_key for queue in queues.values()} == {SHORT, LONG}
    short, long = programs.worker().command, programs.long_worker().command
    assert [each[each.index("-Q") + 1] for each in (short, long)] == [SHORT, LONG]
    assert ["--beat" in each for each in (short, long)] == [True, False]


def test_a_worker_that_is_told_of_no_queue_takes_from_both() -> None:
    assert set(app.amqp.queues.consume_from) == {SHORT, LONG}


@pytest.fixture
def files(tmp_path: Path) -> Celery:
    """An app whose messages are files under `tmp_path`. Each test needs a queue of its own: kombu remembers which it
    has declared, per process."""
    made = Celery("test", set_as_current=False)
    options = broker.options(tmp_path)
    made.conf.update(
        broker_url="filesystem://localhost",
        broker_transport="config.broker:Transport",
        broker_transport_options=options,
    )
    return made


def test_messages_come_out_in_the_order_in_which_they_went_in(files: Celery) -> None:
    with files.connection_for_write() as connection, connection.SimpleQueue("ordered") as queue:
        for number in range(20):
            queue.put({"number": number})
        got = [queue.get(timeout=10) for _ in range(20)]
        assert [message.payload["number"] for message in got] == list(range(20))
        for message in got:
            message.ack()


def test_a_message_is_never_seen_before_it_is_whole(
    files: Celery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rename = os.rename

    def look_and_rename(source: Path, target: Path) -> None:
        seen.extend(path.name for path in (tmp_path / "messages").iterdir())
        rename(source, target)

    monkeypatch.setattr(os, "rename", look_and_rename)
    with files.connection_for_write() as connection, connection.SimpleQueue("whole") as queue:
        queue.put({"number": 1})
        assert seen == []
        assert [path.suffix for path in (tmp_path / "messages").iterdir()] == [".msg"]


def test_every_thread_sends_tasks_to_the_broker_that_is_set() -> None:
    with ThreadPoolExecutor(max_workers=1) as another:
        broker = another.submit(lambda: current_app.conf.broker_url).result()
    assert broker == configuration()["broker_url"]
