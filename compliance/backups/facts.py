"""What a manifest says of a database, looked up in the dump's own snapshot: what a restore is compared with."""

from typing import Any

import psycopg
from psycopg import sql

from compliance.backups.postgres import NOT_DUMPED

COUNTED_BYTES = 64 << 20
"""Rows are counted of tables up to this size: the look must be short, as it holds the snapshot."""

Connection = psycopg.Connection[Any]

_TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> ALL(%s)
  AND pg_relation_size(c.oid) <= %s
ORDER BY c.relname
"""
_SETTINGS = """
SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database() AND s.setrole = 0
"""
_CHECKPOINTS = """
SELECT l.origin, c.size, encode(c.root, 'hex') FROM compliance_auditlog l
JOIN LATERAL (
    SELECT size, root FROM compliance_auditcheckpoint WHERE log_id = l.id ORDER BY size DESC LIMIT 1
) c ON true
ORDER BY l.origin
"""
_ROOTS_OF_KEYS = """
SELECT root_version FROM keys_tenantkey WHERE wrapped IS NOT NULL UNION SELECT root_version FROM keys_signingkey
ORDER BY 1
"""


def of_database(connection: Connection) -> dict[str, Any]:
    """What is the same of every database: its version, migrations, rows by table, and settings of its own."""
    return {
        "server_version": connection.info.server_version,
        "migrations": migrations(connection),
        "rows": rows(connection),
        "settings": [row[0] for row in connection.execute(_SETTINGS)],
    }


def migrations(connection: Connection) -> list[str]:
    """Those that are applied, as `app.name`, in order of their names."""
    return [
        row[0] for row in connection.execute("SELECT DISTINCT app || '.' || name FROM django_migrations ORDER BY 1")
    ]


def rows(connection: Connection, tables: list[str] | None = None) -> dict[str, int]:
    """Rows by table: of those that are named, or else of all that are not too large to be counted."""
    if tables is None:
        tables = [row[0] for row in connection.execute(_TABLES, [list(NOT_DUMPED), COUNTED_BYTES])]
    counts = {}
    for table in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        found = connection.execute(query).fetchone()
        counts[table] = int(found[0]) if found else 0
    return counts


def of_main(connection: Connection) -> dict[str, Any]:
    """Of the main database: each audit log's last checkpoint, and how many erasures it knows."""
    checkpoints = connection.execute(_CHECKPOINTS).fetchall()
    mark = connection.execute("SELECT number, entry_hash FROM compliance_erasuremark").fetchone()
    return {
        **of_database(connection),
        "audit": [{"origin": origin, "size": size, "root": root} for origin, size, root in checkpoints],
        "erasures": {"number": mark[0] if mark else 0, "hash": mark[1] if mark else ""},
    }


def of_keys(connection: Connection) -> dict[str, Any]:
    """Of the keys database: the versions of the root key that wrap something in it, and its ledger of erasures."""
    head = connection.execute(
        "SELECT number, encode(entry_hash, 'hex') FROM keys_erasureentry ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return {
        **of_database(connection),
        "root_versions": [row[0] for row in connection.execute(_ROOTS_OF_KEYS)],
        "erasures": {"number": head[0] if head else 0, "hash": head[1] if head else ""},
    }
