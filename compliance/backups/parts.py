"""The two parts of a backup, which lie and end apart: the data, and the keys that open what is sealed in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings

from compliance.backups import facts
from compliance.backups.places import Place, place_at

Look = Callable[[psycopg.Connection[Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its databases in the order in which they are dumped, and what is looked up in each."""

    name: str
    title: str
    databases: Mapping[str, Look]
    place_setting: str
    keys_setting: str

    @property
    def where(self) -> str:
        """The folder or bucket."""
        return str(getattr(settings, self.place_setting))

    @property
    def place(self) -> Place:
        return place_at(self.where)

    @property
    def keys(self) -> Mapping[int, bytes]:
        """What encrypts it, by version."""
        keys: Mapping[int, bytes] = getattr(settings, self.keys_setting)
        return keys

    @property
    def days(self) -> int:
        return int(settings.BACKUP_DAYS if self.name == "data" else settings.KEYS_BACKUP_DAYS)

    @property
    def weeks(self) -> int:
        return int(settings.BACKUP_WEEKS) if self.name == "data" else 0


DATA = Part(
    name="data",
    title="data",
    databases={"ledger": facts.of_database, "default": facts.of_main},
    place_setting="BACKUP_PLACE",
    keys_setting="BACKUP_KEYS",
)
KEYS = Part(
    name="keys",
    title="keys",
    databases={"keys": facts.of_keys},
    place_setting="KEYS_BACKUP_PLACE",
    keys_setting="KEYS_BACKUP_KEYS",
)
PARTS = {part.name: part for part in (DATA, KEYS)}


def file_of(alias: str) -> str:
    """The name of a database's dump."""
    return f"{alias}.dump"


def bound_to(part: Part, label: str, alias: str) -> str:
    """What a dump's encryption is bound to, so that no file passes for another one."""
    return f"backup/{part.name}/{label}/{file_of(alias)}"
