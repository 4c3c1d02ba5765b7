"""Sends the ledger app's tables to the ledger database, and everything else to the main one."""

from typing import Any

LEDGER = "ledger"
"""Both the label of the app and the alias of its database."""


class LedgerRouter:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return LEDGER if model._meta.app_label == LEDGER else None

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return bool((first._meta.app_label == LEDGER) == (second._meta.app_label == LEDGER))

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == LEDGER) == (app_label == LEDGER)
