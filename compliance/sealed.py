"""Small secrets under the root key, and where they lie: apps register their columns, so that rotation finds them all.

What is sealed is bound to a `context`, which names the place that it belongs to; `compliance/crypto.py` has the layout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models

from compliance.keyring.roots import root_keys

REMEMBERED = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of sealed values.

    Args:
        model: its table.
        name: of the column.
        context: the place of a row's value, as `seal` was told.
        title: what the values are, in plural and for people.
        version: the column that repeats the version of the root key, where there is one.
    """

    model: type[models.Model]
    name: str
    context: Callable[[Any], str]
    title: str
    version: str = ""


_columns: list[Column] = []


def register(*columns: Column) -> None:
    """Adds columns of sealed values, in `AppConfig.ready`."""
    _columns.extend(columns)


def columns() -> tuple[Column, ...]:
    """All columns of values that root keys open, by title."""
    return tuple(sorted(_columns, key=lambda column: column.title))


def seal(value: bytes, *, context: str) -> bytes:
    """Encrypts under the current root key.

    Raises:
        KeyStoreUnavailable: the provider of the root keys does not answer.
    """
    return root_keys().wrap(value, context=context)


def unseal(sealed: bytes | memoryview, *, context: str) -> bytes:
    """Decrypts what `seal` made. Where that is a call over the network, the process remembers what it was told, so that
    policy can be compiled while KMS is away; gateways hold these secrets in memory anyway.

    Raises:
        DecryptionFailed: it was altered, belongs elsewhere, or its root key is not at hand.
        KeyStoreUnavailable: the provider of the root keys does not answer.
    """
    opened = _once if settings.ROOT_KEY_PROVIDER == "kms" else _each_time
    return opened(bytes(sealed), context)


def _each_time(sealed: bytes, context: str) -> bytes:
    return root_keys().unwrap(sealed, context=context)


@lru_cache(REMEMBERED)
def _once(sealed: bytes, context: str) -> bytes:
    return root_keys().unwrap(sealed, context=context)
