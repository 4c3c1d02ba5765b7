"""Lets a transaction change of the audit log's tables what it is there to change; see `sql/audit_log.sql`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from django.db import connection

Purpose = Literal["sequence", "deliver", "redact", "prune", "count"]


@contextmanager
def lifted(purpose: Purpose) -> Iterator[None]:
    """Inside, the database lets this transaction do what the purpose needs; nothing else, and not afterwards.

    An error leaves it lifted for as long as the transaction lasts, which then can do nothing but end.

    Raises:
        RuntimeError: no transaction is open.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("the audit log is changed in transactions only")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portcullis.audit', %s, true)", [purpose])
        yield
        cursor.execute("SELECT set_config('portcullis.audit', '', true)")
