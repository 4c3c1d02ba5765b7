"""Encrypts contents under the keys of their people, in turns with the requests that are served."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping

from compliance.envelope import NONCE_BYTES, Places, Salt, Sealer
from compliance.keyring.store import WrappedKey
from compliance.transcripts import place_of
from gateway import redaction
from gateway.content import Content, Wish
from gateway.turns import Turns

THREAD_BYTES = 256 * 2**10
"""What is larger is encrypted in a thread."""

REDACTED_BYTES = 8 * 2**10
"""What is larger is redacted, and then encrypted, in a thread."""


async def together(
    part: Iterable[Content],
    keys: Mapping[Wish, WrappedKey],
    turns: Turns,
    *,
    failed: Callable[[Content, Exception], None],
) -> bytes:
    """The sealed contents, one behind the other; says of each where it is. Costs least where people stay together.

    `failed` is told of each that cannot be read or redacted, or whose key does not open; the others go on without it.
    """
    sealed: list[bytes] = []
    place, wish, sealer = 0, None, None
    sealers = _Sealers(keys)
    turns.begin()
    there = [content for content in part if content.is_there]
    nonces = secrets.token_bytes(NONCE_BYTES * len(there))
    for content, start in zip(there, range(0, len(nonces), NONCE_BYTES), strict=True):
        try:
            if sealer is None or content.wish != wish:
                wish, sealer = content.wish, None
                key_id, sealer = sealers.of(wish)
            nonce = nonces[start : start + NONCE_BYTES]
            if content.size > (REDACTED_BYTES if content.terms.redacted else THREAD_BYTES):
                record = await asyncio.to_thread(_sealed, content, sealer, nonce)
                turns.begin()
            else:
                record = _sealed(content, sealer, nonce)
        except Exception as error:
            failed(content, error)
            continue
        content.key_id, content.place, content.length = key_id, place, len(record)
        place += len(record)
        sealed.append(record)
        if turns.are_over:
            await turns.give()
    return b"".join(sealed)


class _Sealers:
    """Of the people of a part."""

    def __init__(self, keys: Mapping[Wish, WrappedKey]) -> None:
        self._keys = keys
        self._salt = Salt()
        self._places: dict[tuple[int, str], Places] = {}

    def of(self, wish: Wish) -> tuple[str, Sealer]:
        """The id of somebody's key, and what encrypts under it."""
        tenant_id, surrogate, purpose, _ = wish
        places = self._places.get((tenant_id, purpose))
        if places is None:
            like = place_of(tenant_id=tenant_id, surrogate="", request_id="", purpose=purpose)
            places = self._places[tenant_id, purpose] = Places(like)
        wrapped = self._keys[wish]
        id, key = wrapped.opened(tenant_id, surrogate)
        return wrapped.id, Sealer(key, key_id=id, around=places.around_record_id(surrogate), salt=self._salt)


def _sealed(content: Content, sealer: Sealer, nonce: bytes) -> bytes:
    plaintext = content.plaintext()
    if content.terms.redacted:
        redactor = redaction.redactor()
        assert redactor is not None, "nothing is handed over that cannot be redacted"
        plaintext = redactor.redacted(plaintext, content.principal.guarding)
    content.plain_bytes = len(plaintext)
    return sealer.seal(plaintext, record_id=content.request_id, nonce=nonce)
