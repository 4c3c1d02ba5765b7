"""Databases to restore into: made, marked while they are half filled, and dropped."""

import re
from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from compliance.backups.postgres import MAINTENANCE, Params, connected, one
from compliance.errors import BackupFailed

UNFINISHED: LiteralString = "portcullis: a restore is under way, or was cut off"
"""The comment of a database that is half filled: whoever restores into it again may empty it first."""
LONGEST_NAME = 63
"""Bytes of a name in PostgreSQL."""

_SETTING = re.compile(r"([a-z_]+(?:\.[a-z_]+)?)=(.*)", re.DOTALL)
_HELD: LiteralString = """
SELECT (
    SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
) + (SELECT count(*) FROM pg_largeobject_metadata)
"""
"""Relations of any kind in any schema of people's, but those that extensions bring along; and large objects."""
_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"

Connection = psycopg.Connection[Any]


def server_of(params: Params) -> Params:
    """The same server's database for such work."""
    return {**params, "dbname": MAINTENANCE}


def make_ready(params: Params) -> None:
    """Makes the database, or empties what an earlier restore has left half filled; marks it as unfinished.

    An empty one is taken as it is: whoever made it may have had rights that nobody has here.

    Raises:
        BackupFailed: it holds something else, or cannot be made.
    """
    name = str(params["dbname"])
    with connected(server_of(params)) as server:
        if _exists(server, name) and not _is_empty(params):
            if _comment(server, name) != UNFINISHED:
                raise BackupFailed(
                    f"Database {name} is not empty; nothing in it was touched. Name another, or rename this one first."
                )
            _drop(server, name)
        if not _exists(server, name):
            _execute(server, "CREATE DATABASE {}", name)
        _execute(server, "COMMENT ON DATABASE {} IS '" + UNFINISHED + "'", name)


def finish(params: Params) -> None:
    """Takes the mark away: what is in it from now on counts."""
    with connected(server_of(params)) as server:
        _execute(server, "COMMENT ON DATABASE {} IS NULL", str(params["dbname"]))


def apply_settings(params: Params, settings: Iterable[str]) -> None:
    """Gives a database the settings that the dumped one had, which no dump contains."""
    with connected(server_of(params)) as server:
        for setting in settings:
            if found := _SETTING.fullmatch(setting):
                name = sql.SQL(".").join(map(sql.Identifier, found[1].split(".")))
                database = sql.Identifier(str(params["dbname"]))
                server.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, name, sql.Literal(found[2])))


def drop(params: Params) -> bool:
    """Drops a scratch database, whoever is connected; returns whether there was one."""
    name = str(params["dbname"])
    with connected(server_of(params)) as server:
        if not _exists(server, name):
            return False
        _drop(server, name)
    return True


def scratch(params: Params, *, server: Params | None = None) -> Params:
    """The database that a drill restores this one into. There is one name only, so that leftovers are found by it."""
    name = f"{params['dbname']}"[: LONGEST_NAME - len("_drill")] + "_drill"
    return {**(server or params), "dbname": name}


def _exists(server: Connection, name: str) -> bool:
    return server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _is_empty(params: Params) -> bool:
    with connected(params) as connection:
        return int(one(connection, _HELD)) == 0


def _comment(server: Connection, name: str) -> str:
    row = server.execute(_COMMENT, [name]).fetchone()
    return str(row[0]) if row else ""


def _drop(server: Connection, name: str) -> None:
    _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server: Connection, statement: LiteralString, name: str) -> None:
    try:
        server.execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise BackupFailed(f"Database {name}: {reason}.") from error
