"""The worker as it is started by `manage.py up`, with its clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config import programs
from config.asgi import libpq_params
from tests.system.processes import Server, _environment, database_urls, eventually

pytestmark = pytest.mark.system


@pytest.fixture
def worker(databases: None, tmp_path: Path) -> Iterator[Server]:
    environment = {**_environment(), **database_urls(), "VAR_DIR": str(tmp_path)}
    command = [part if "schedule" not in part else str(tmp_path / "schedule") for part in programs.worker().command]
    server = Server(*command, log=tmp_path / "worker.log", environment=environment)
    yield server
    server.close()


@pytest.mark.opens_transactions("what pins the ledger is what the test is about")
def test_what_pins_the_ledger_is_named_within_ten_seconds(worker: Server) -> None:
    def named(pid: int) -> bool:
        lines = [line for line in worker.log_lines() if line["event"] == "the ledger is pinned"]
        return any(line["name"] == str(pid) for line in lines)

    with pinning() as first:
        eventually(lambda: named(first.info.backend_pid), within_s=60)  # it starts meanwhile
    with pinning() as second:
        eventually(lambda: named(second.info.backend_pid), within_s=10)


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
