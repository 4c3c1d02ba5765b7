"""The words of tenants' dictionaries: sealed under a key of each dictionary's own, and read when a gateway needs them.

They may be many megabytes, so only that key goes to the provider of the root keys.
"""

import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from compliance import sealed
from compliance.errors import DecryptionFailed
from gateway.guards.base import WordList
from gateway.models import GuardDictionary, GuardDictionaryContent

_NONCE = 12
COMPILED, UPLOAD = "compiled", "upload"
"""What is sealed, bound to which of the two it is."""


def new_key(dictionary_id: int) -> bytes:
    """A key for a dictionary, as its row keeps it."""
    return sealed.seal(secrets.token_bytes(32), context=_place(dictionary_id))


def seal(data: bytes, *, content: GuardDictionaryContent, what: str) -> bytes:
    """Encrypts words of a dictionary."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(content).encrypt(nonce, data, _bound(content, what))


def opened(content: GuardDictionaryContent, *, what: str = COMPILED) -> bytes:
    """The words of a dictionary as they were sealed; nothing where there are none.

    Raises:
        DecryptionFailed: they were altered or belong elsewhere, or the root key is not at hand.
    """
    kept = bytes((content.sealed if what == COMPILED else content.upload) or b"")
    if not kept:
        return b""
    try:
        return _cipher(content).decrypt(kept[:_NONCE], kept[_NONCE:], _bound(content, what))
    except InvalidTag as error:
        raise DecryptionFailed("the words of a dictionary were altered or belong elsewhere") from error


_lists: dict[int, WordList] = {}
"""The newest version of each dictionary that this process has read."""


def word_lists(dictionaries: Iterable[GuardDictionary]) -> tuple[WordList, ...]:
    """Dictionaries as guards read them. What this process has read once it does not read again.

    Raises:
        DecryptionFailed: the words of one were altered, or the root key is not at hand.
    """
    return tuple(_word_list(each) for each in dictionaries)


def _word_list(row: GuardDictionary) -> WordList:
    known = _lists.get(row.pk)
    if known is None or (known.version, known.name, known.prefixes) != (row.version, row.name, row.prefixes):
        content = GuardDictionaryContent.objects.filter(dictionary=row).first()
        known = _lists[row.pk] = WordList(
            dictionary_id=row.pk,
            version=row.version,
            name=row.name,
            prefixes=row.prefixes,
            compiled=opened(content) if content else b"",
        )
    return known


def _cipher(content: GuardDictionaryContent) -> AESGCM:
    return AESGCM(sealed.unseal(content.data_key, context=_place(content.dictionary_id)))


def _bound(content: GuardDictionaryContent, what: str) -> bytes:
    return f"{_place(content.dictionary_id)}/{what}".encode()


def _place(dictionary_id: int) -> str:
    return f"guard-dictionary/{dictionary_id}"


COLUMN = sealed.Column(
    model=GuardDictionaryContent,
    name="data_key",
    context=lambda row: _place(row.dictionary_id),
    title="keys of dictionaries",
)
