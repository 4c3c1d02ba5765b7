"""Sends the tables of the apps that have a database of their own to it, and everything else to the main one."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS

LEDGER = "ledger"
KEYS = "keys"
APART = (LEDGER, KEYS)
"""Each is both the label of an app and the alias of its database."""


def alias_of(app_label: str) -> str:
    """The database of an app's tables."""
    return app_label if app_label in APART else DEFAULT_DB_ALIAS


class AppRouter:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return alias_of(model._meta.app_label)

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return alias_of(first._meta.app_label) == alias_of(second._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == alias_of(app_label)
