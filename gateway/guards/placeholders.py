"""Placeholders that stand for what was redacted, `⟦EMAIL·k7q2m3x9v0ab⟧`, and the values behind them. Pure.

Code: 4 characters name the conversation, 8 are a message authentication code (40 bits) over kind and value, under a key
of that conversation alone. So a value has one placeholder in the whole conversation and another in any other, nothing
has to be kept for that, and whoever makes one up hits none. Only what was given or recalled here is ever restored.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.guards.base import Finding, Replacement, Terms
from gateway.guards.replacing import Replacer
from gateway.guards.tracks import VALUE_MOST

OPENING, DOT, CLOSING = "⟦", "·", "⟧"
TAG_CHARS, MAC_CHARS = 4, 8
CODE_CHARS = TAG_CHARS + MAC_CHARS
KIND_MOST = 24
ALPHABET = "abcdefghjkmnpqrstvwxyz0123456789"
"""Crockford's 32 symbols, in lower case: without i, l, o and u, and no matter in which case they come back."""

_LETTERS = 22
_TRIES = 8
_KIND = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_encode = msgspec.json.Encoder(order="deterministic").encode

CONVERSATION_FIELD = "conversation_id"
"""Of `metadata`: where an application says which conversation a request belongs to."""


class Given(Struct, frozen=True, gc=False):
    """What a placeholder stands for. `rule` as in `Finding`; `code` as it stands in the placeholder."""

    code: str
    rule: str
    value: str

    def __repr__(self) -> str:
        return f"Given({self.code}, {self.rule})"  # logs may show it


class Placeholders:
    """The placeholders of one conversation, as one request knows them. `key`: see `conversation_key`.

    Not shared between threads. `fresh` are those given for the first time here: what may be kept for later requests.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key or secrets.token_bytes(32)  # without a key nobody could tell forged ones
        self.tag = _tag(self._key)
        self._known: dict[str, Given] = {}
        self._codes: dict[tuple[str, str], str] = {}
        self.fresh: list[Given] = []

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"Placeholders({self.tag}, {len(self)})"

    @property
    def known(self) -> Mapping[str, Given]:
        """What can be restored, by `normal` form."""
        return self._known

    def give(self, rule: str, value: str, *, in_json: bool = False) -> str:
        """The placeholder of a value, which can be restored from now on. The same one for the same value.

        Args:
            rule: its kind, as in `Finding`.
            in_json: the value is a piece of JSON text, in which some characters are escaped.
        """
        value = _unescaped(value) if in_json else value
        code = self._codes.get((rule, value))
        if code is None:
            code = self._code(rule, value)
            given = Given(code, rule, value)
            self._know(given)
            self.fresh.append(given)
        return written(rule, code)

    def mask(self, rule: str, value: str) -> str:
        """The placeholder of a value without making it one that can be restored: for what an answer must not show."""
        return written(rule, self._codes.get((rule, value)) or self._code(rule, value))

    def recall(self, given: Given) -> bool:
        """Takes back what an earlier request of this conversation gave; False, and nothing, if it was none of it."""
        if given.code not in (self._derived(given.rule, given.value, number) for number in range(_TRIES)):
            return False
        if self._known.get(normal(given.rule, given.code), given).value != given.value:
            return False
        self._know(given)
        return True

    def of(self, found: str) -> Given | None:
        """What a placeholder in its `normal` form stands for."""
        return self._known.get(found)

    def _know(self, given: Given) -> None:
        self._known[normal(given.rule, given.code)] = given
        self._codes[(given.rule, given.value)] = given.code

    def _code(self, rule: str, value: str) -> str:
        """Where two values have one code, which is no more likely than to guess it, the second one takes the next."""
        for number in range(_TRIES):
            code = self._derived(rule, value, number)
            there = self._known.get(normal(rule, code))
            if there is None or there.value == value:
                return code
        raise AssertionError("no code is left")

    def _derived(self, rule: str, value: str, number: int) -> str:
        message = b"\0".join((kind_of(rule).encode(), value.encode("utf-8", "surrogatepass"), bytes([number])))
        return self.tag + _spelled(hmac.digest(self._key, message, "sha256")[:MAC_CHARS])


def replacer(plain: Replacer, known: Placeholders, *, is_answer: Callable[[], bool] = lambda: False) -> Replacer:
    """Placeholders where policy says so, and elsewhere what `plain` says. What is found in an answer is only masked:
    the client must not see it. So is a value that came cut, as it could not be restored."""

    def instead(finding: Finding, value: str, terms: Terms) -> str:
        if terms.replacement != Replacement.PLACEHOLDER or len(value) >= VALUE_MOST:
            return plain(finding, value, terms)
        if is_answer():
            return known.mask(finding.rule, value)
        return known.give(finding.rule, value, in_json=finding.place.endswith(".arguments"))

    return instead


def conversation_key(key: bytes, *, application_id: int, end_user: str, conversation: bytes) -> bytes:
    """The key (32 bytes) of a conversation that a person, or nobody by name, has with an application.

    Args:
        key: the tenant's, as in `Guarding`; empty: there is none, and neither is there one of the conversation.
        end_user: a surrogate, or empty.
        conversation: see `conversation_of`.
    """
    if not key:
        return b""
    parts = (str(application_id).encode(), end_user.encode(), conversation)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(key, b"placeholders of a conversation\0" + framed, "sha256")


def conversation_of(payload: Mapping[str, Any]) -> bytes:
    """What the requests of a conversation have in common: the id that the application names in `metadata`, or else the
    first thing that the user said, which clients send again with every turn."""
    metadata = payload.get("metadata")
    named = metadata.get(CONVERSATION_FIELD) if isinstance(metadata, dict) else None
    if isinstance(named, str) and named:
        return b"named\0" + named.encode("utf-8", "surrogatepass")
    messages = payload["messages"]
    first = next((message for message in messages if message.get("role") == "user"), messages[0])
    return b"begun\0" + hashlib.sha256(_encode(first.get("content"))).digest()


def kind_of(rule: str) -> str:
    """How a placeholder names the kind: letters, digits and underscores of the rule's name, in upper case."""
    kept = "".join(char if char in _KIND else "_" for char in rule.upper())
    return kept.strip("_")[:KIND_MOST].rstrip("_") or "VALUE"


def written(rule: str, code: str) -> str:
    """A placeholder as it is sent; at most 39 characters."""
    return f"{OPENING}{kind_of(rule)}{DOT}{code}{CLOSING}"


def normal(rule: str, code: str) -> str:
    """What stays of a placeholder however case, spacing and markdown were changed: its letters and digits."""
    return (kind_of(rule).replace("_", "") + code).lower()


def _tag(key: bytes) -> str:
    """Begins with a letter, so that no code looks like a number."""
    digest = hmac.digest(key, b"tag", "sha256")
    return ALPHABET[digest[0] % _LETTERS] + _spelled(digest[1:TAG_CHARS])


def _spelled(digest: bytes) -> str:
    return "".join(ALPHABET[byte % 32] for byte in digest)


def _unescaped(text: str) -> str:
    """A piece of a JSON string as what it stands for; as it is where it was cut in the middle of an escape."""
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
