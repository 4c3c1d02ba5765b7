"""Passwords in addresses, and in what clients send: `postgres://app:…@db`, `Authorization: Basic …`. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator

from gateway.guards.base import Around, Rule
from gateway.guards.secrets.values import is_worded, stands_for_one

_BEFORE_PASSWORD = re.compile(r"://([^\s:/\"'<>]*):$")


def rules(guard: str) -> Iterator[Rule]:
    yield Rule(
        guard=guard,
        name="connection_password",
        scan=r"://[^\s:/\"'<>]{0,40}:[^\s/@\"'<>]{3,48}@",
        pattern=r"(?<=:)[^\s/@\"'<>]{3,48}(?=@[\w\[$-])",
        check=_is_in_address,
        first=24,
    )
    yield Rule(
        guard=guard,
        name="authorization",
        scan=r"(?i)basic\s[A-Za-z0-9+/=]{8}",
        pattern=r"(?<=[Bb]asic\s)[A-Za-z0-9+/]{8,60}={0,2}|(?<=BASIC\s)[A-Za-z0-9+/]{8,60}={0,2}",
        check=_is_basic,
        tail="[A-Za-z0-9+/=]",
        first=24,
    )
    yield Rule(
        guard=guard,
        name="authorization",
        scan=r"(?i)(?:bearer|token|apikey|api-key)\s[A-Za-z0-9._~+/=-]{16}",
        pattern=r"(?:(?<=bearer\s)|(?<=Bearer\s)|(?<=BEARER\s)|(?<=: token\s))[A-Za-z0-9._~+/=-]{16,60}",
        check=_is_bearer,
        tail="[A-Za-z0-9._~+/=-]",
        first=10,
    )
    yield Rule(
        guard=guard,
        name="authorization",
        scan=r"curl[^\n]{1,200}(?:-u|--user)[\s=]",
        pattern=r"(?<=:)[^\s\"'`@:]{4,60}",
        check=_is_of_curl,
        tail=r"[^\s\"'`]",
        first=8,
    )


def _is_in_address(value: str, around: Around) -> float:
    match = _BEFORE_PASSWORD.search(around.before)
    if match is None or stands_for_one(value):
        return 0.0
    return 0.3 if value.lower() == match[1] else 0.85


def _is_basic(value: str, around: Around) -> float:
    """A name and a password with a colon between them (RFC 7617)."""
    try:
        text = base64.b64decode(value[: len(value) // 4 * 4]).decode("latin-1")
    except (binascii.Error, ValueError):
        return 0.0
    _, colon, password = text.partition(":")
    if "authorization" in around.before[-24:] and not is_worded(value) and not stands_for_one(value):
        return 0.0 if colon and stands_for_one(password) else 0.8
    return 0.8 if colon and text.isprintable() and not stands_for_one(password) else 0.0


def _is_bearer(value: str, around: Around) -> float:
    return 0.0 if stands_for_one(value) or is_worded(value) else 0.8


_CURL = re.compile(r"(?:-u|--user)[\s=]?[\"']?[^\s:\"']{1,40}:$")


def _is_of_curl(value: str, around: Around) -> float:
    if not _CURL.search(around.before) or stands_for_one(value):
        return 0.0
    return 0.75
