"""PostgreSQL's own programs, pg_dump and pg_restore, at the ends of pipes: no dump is ever a file.

Both pipes are read and written with a time-out, so that whoever waits is asked for a sign of life meanwhile.
"""

import os
import re
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, LiteralString

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import conninfo

from compliance.errors import BackupFailed

Params = dict[str, Any]
"""How libpq reaches a database."""
Beat = Callable[[], None]
"""Called each second or so while something takes its time; may raise, and so end it."""

BEAT_S = 1.0
PIPE_BYTES = 1 << 16
LOCK_TIMEOUT_MS = 60_000
NOT_DUMPED = ("django_session", "django_cache")
"""Tables whose rows open doors, or are nothing but copies: people sign in again after a restore."""
MAINTENANCE = "postgres"

_NOT_LIBPQ = {"client_encoding", "context", "cursor_factory", "pool", "prepare_threshold"}


def params_of(alias: str) -> Params:
    """How the database of an alias is reached; starts the embedded server if that is where it is."""
    params = connections[alias].get_connection_params()
    return {name: value for name, value in params.items() if name not in _NOT_LIBPQ and value is not None}


def params_at(url: str) -> Params:
    """How the database of a URL (`postgresql://…`) is reached.

    Raises:
        BackupFailed: it is no such URL.
    """
    try:
        return dict(conninfo.conninfo_to_dict(url))
    except psycopg.ProgrammingError as error:
        raise BackupFailed("A database is named as postgresql://user:password@host/name.") from error


def url_of(params: Params) -> str:
    """The URL that says the same, password included: for the environment of a process, never for its arguments."""
    from urllib.parse import quote, urlencode

    rest = {name: str(value) for name, value in params.items() if name not in ("dbname", "user", "password")}
    rest.pop("application_name", None)
    user = quote(str(params.get("user", "")), safe="")
    password = f":{quote(str(params['password']), safe='')}" if params.get("password") else ""
    where = f"{user}{password}@" if user else ""
    return f"postgresql://{where}/{quote(str(params['dbname']), safe='')}?{urlencode(rest, quote_via=quote)}"


@contextmanager
def connected(params: Params) -> Iterator[psycopg.Connection[Any]]:
    """A connection outside of Django, in autocommit.

    Raises:
        BackupFailed: the database does not answer.
    """
    named = {**params, "application_name": "portcullis backup"}
    try:
        connection = psycopg.connect(**named, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or [""])[-1]
        raise BackupFailed(f"Database {params.get('dbname')} cannot be reached: {reason}") from error
    with connection:
        yield connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of a database that others may look at too, until `connection` ends its transaction."""

    params: Params
    connection: psycopg.Connection[Any]
    name: str


@contextmanager
def snapshot_of(params: Params) -> Iterator[Snapshot]:
    """Takes a snapshot of a database. Short: what it shows is kept from being pruned."""
    with connected(params) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        if connection.info.server_version >= 170_000:
            connection.execute("SET transaction_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield Snapshot(params, connection, str(one(connection, "SELECT pg_export_snapshot()")))


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump that has begun: what was looked up in the very snapshot that it shows, and its bytes as they come."""

    found: dict[str, Any]
    pieces: Iterator[bytes]


@contextmanager
def dumping(
    snapshot: Snapshot, *, look: Callable[[psycopg.Connection[Any]], dict[str, Any]], beat: Beat
) -> Iterator[Dump]:
    """Begins to dump a database as a snapshot shows it (custom format, compressed); `look` sees the same.

    Raises:
        BackupFailed: a program is missing or too old, or the database cannot be dumped.
    """
    connection = snapshot.connection
    command = [*_command("pg_dump", for_server=connection), "--format=custom", "--compress=1"]
    command += [f"--lock-wait-timeout={LOCK_TIMEOUT_MS}", f"--snapshot={snapshot.name}"]
    command += [f"--exclude-table-data=public.{table}" for table in NOT_DUMPED]
    with _running(command, snapshot.params, stdout=subprocess.PIPE) as (process, errors):
        found = look(connection)
        pieces = _pieces(process, errors, beat)
        first = next(pieces, b"")  # a dump begins once its list of tables is read: it has the snapshot for itself
        connection.execute("COMMIT")
        yield Dump(found, _all(first, pieces))


def _all(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _pieces(process: "subprocess.Popen[bytes]", errors: IO[bytes], beat: Beat) -> Iterator[bytes]:
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    while True:
        ready, _, _ = select.select([descriptor], [], [], BEAT_S)
        beat()
        if not ready:
            continue
        piece = os.read(descriptor, PIPE_BYTES)
        if not piece:
            break
        yield piece
    _require_success(process, errors, beat, "pg_dump")


def load(params: Params, pieces: Iterable[bytes], *, beat: Beat) -> None:
    """Restores a dump into an empty database.

    Raises:
        BackupFailed: it cannot be restored; the database is left half filled.
        BackupBroken: as `pieces` raise it.
    """
    with connected(params) as connection:
        command = [*_command("pg_restore", for_server=connection), "--no-owner", "--no-privileges", "--no-comments"]
    with _running([*command, "--exit-on-error"], params, stdin=subprocess.PIPE) as (process, errors):
        assert process.stdin is not None
        _feed(process.stdin.fileno(), pieces, beat)
        with suppress(BrokenPipeError):
            process.stdin.close()
        _require_success(process, errors, beat, "pg_restore")


def _feed(descriptor: int, pieces: Iterable[bytes], beat: Beat) -> None:
    os.set_blocking(descriptor, False)
    broken = False
    for piece in pieces:
        view = memoryview(piece)
        while view and not broken:
            _, ready, _ = select.select([], [descriptor], [], BEAT_S)
            beat()
            try:
                view = view[os.write(descriptor, view) :] if ready else view
            except BrokenPipeError:
                broken = True  # pg_restore has ended and says why; the rest is read still, as it is to be checked


def _require_success(process: "subprocess.Popen[bytes]", errors: IO[bytes], beat: Beat, name: str) -> None:
    while True:
        try:
            status = process.wait(BEAT_S)
            break
        except subprocess.TimeoutExpired:
            beat()
    if status:
        raise BackupFailed(f"{name} failed: {_told(errors)}")


def _told(errors: IO[bytes]) -> str:
    """The first error that a program wrote, without the lines that quote rows."""
    errors.seek(0)
    lines = errors.read(1 << 16).decode(errors="replace").splitlines()
    first = next((line for line in lines if "error:" in line or "ERROR:" in line), (lines or ["no reason given"])[0])
    return first.partition("error: ")[2][:300] or first[:300]


@contextmanager
def _running(
    command: Sequence[str], params: Params, *, stdin: int | None = None, stdout: int | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    """A program that reaches the database. It does not outlive the context, nor its pipe by long."""
    where = {name: value for name, value in params.items() if name not in ("password", "application_name")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    secret = {"PGPASSWORD": str(params["password"])} if params.get("password") else {}
    files = {name: os.environ[name] for name in ("PGPASSFILE", "PGSERVICEFILE") if name in os.environ}
    arguments = [*command, f"--dbname={conninfo.make_conninfo('', **where)}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603
            arguments, stdin=stdin, stdout=stdout, stderr=errors, env={**inherited, **files, **secret}
        )
        try:
            yield process, errors
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _command(name: str, *, for_server: psycopg.Connection[Any]) -> list[str]:
    """A program, not older than the server.

    Raises:
        BackupFailed: it is missing or older.
    """
    path = shutil.which(name, path=settings.PG_BIN or None)
    if path is None:
        raise BackupFailed(f"{name} is missing. Install PostgreSQL's client programs, and set PG_BIN to their folder.")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\b(\d+)(\.|devel|beta|rc|\b)", told)
    own, server = int(found[1]) if found else 0, for_server.info.server_version // 10_000
    if own < server:
        raise BackupFailed(
            f"{path} is of PostgreSQL {own}, and the server is {server}: set PG_BIN to the folder of its programs."
        )
    return [path]


def one(connection: psycopg.Connection[Any], query: LiteralString) -> Any:
    """The first column of the first row; None where there is none."""
    row = connection.execute(query).fetchone()
    return row[0] if row else None
