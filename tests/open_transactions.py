"""Watches for transactions that stay open while tests run."""

import contextlib
import os
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

OPEN_AT_MOST_S = 5
LOOK_EACH_S = 1
LOOKS = OPEN_AT_MOST_S // LOOK_EACH_S + 1
BASE = Path(__file__).parent.parent
OPEN_TRANSACTIONS = """
SELECT pid, xact_start::text, datname, application_name, state, left(query, 200) FROM pg_stat_activity
WHERE datname = ANY(%s) AND xact_start IS NOT NULL AND backend_type = 'client backend' AND query <> 'CHECKPOINT'
"""
"""Not the server's own, such as autovacuum. A checkpoint, which a test may ask for, reads no row."""


class LongTransactions:
    """Looks each second for transactions that stay open: one that has written keeps the whole server from pruning.

    One is open for too long when that many looks found it open. Its age alone does not tell: when the machine stood
    still for a while, everything on it is as old as that.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[str, str]] = {}
        self._looks: dict[tuple[Any, ...], int] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, databases: list[dict[str, Any]]) -> None:
        names = [params["dbname"] for params in databases]
        server = {**databases[0], "dbname": "postgres", "application_name": "portcullis tests watch"}
        self._thread = threading.Thread(target=self._watch, args=(server, names), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def take(self, *, but_of: str = "") -> list[str]:
        """What was found since the last time, without the sessions of that application."""
        found, self._found = self._found, {}
        return [text for application, text in found.values() if application != but_of]

    def _watch(self, server: dict[str, Any], names: list[str]) -> None:
        while not self._stopped.wait(LOOK_EACH_S):
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(**server, autocommit=True) as connection,
            ):
                while not self._stopped.wait(LOOK_EACH_S):
                    self.look(connection.execute(OPEN_TRANSACTIONS, [names]).fetchall())

    def look(self, rows: list[tuple[Any, ...]]) -> None:
        """Takes in what one look found."""
        self._looks = {(pid, since): self._looks.get((pid, since), 0) + 1 for pid, since, *_ in rows}
        for pid, since, *about in rows:
            if self._looks[pid, since] == LOOKS:
                during = os.environ.get("PYTEST_CURRENT_TEST", "no test")
                text = f"open since {since}, found during {during}: {about}\n{stacks()}"
                self._found[pid, since] = str(about[1]), text


def stacks() -> str:
    """Where each thread of this process is in the project's code, a line each."""
    return "\n".join(line for frame in sys._current_frames().values() if (line := _place_of(frame)))


def _place_of(frame: FrameType) -> str:
    files = ((Path(each.filename), each.lineno) for each in traceback.extract_stack(frame))
    own = [f"{file.name}:{line}" for file, line in files if file.is_relative_to(BASE) and ".venv" not in file.parts]
    return "  thread: " + " > ".join(own) if own else ""
