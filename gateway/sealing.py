"""Encrypts contents under the keys of their people, in turns with the requests that are served."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from compliance.envelope import NONCE_BYTES, Sealer
from compliance.keyring.store import DataKey
from compliance.transcripts import place_of
from gateway import redaction
from gateway.content import Content
from gateway.storing import Person, wish_of
from gateway.turns import Turns

THREAD_BYTES = 256 * 2**10
"""What is larger is encrypted in a thread."""

REDACTED_BYTES = 8 * 2**10
"""What is larger is redacted, and then encrypted, in a thread."""


async def together(
    part: Iterable[Content],
    keys: Mapping[Person, DataKey],
    turns: Turns,
    *,
    failed: Callable[[Content, Exception], None],
) -> bytes:
    """The sealed contents, one behind the other; says of each where it is. Costs least where people stay together.

    `failed` is told of each that cannot be read or redacted; the others go on without it.
    """
    sealed: list[bytes] = []
    place = 0
    turns.begin()
    there = [content for content in part if content.is_there]
    for (tenant_id, surrogate, purpose, _), own in groupby(there, wish_of):
        key = keys[tenant_id, surrogate]
        sealer = Sealer(
            key.key,
            key_id=key.id,
            place=place_of(tenant_id=tenant_id, surrogate=surrogate, request_id="", purpose=purpose),
        )
        key_id, contents = str(key.id), list(own)
        nonces = secrets.token_bytes(NONCE_BYTES * len(contents))
        for number, content in enumerate(contents):
            nonce = nonces[NONCE_BYTES * number : NONCE_BYTES * (number + 1)]
            try:
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


def _sealed(content: Content, sealer: Sealer, nonce: bytes) -> bytes:
    plaintext = content.plaintext()
    if content.terms.redacted:
        redactor = redaction.redactor()
        assert redactor is not None, "nothing is handed over that cannot be redacted"
        plaintext = redactor.redacted(plaintext, content.principal.guarding)
    content.plain_bytes = len(plaintext)
    return sealer.seal(plaintext, record_id=content.request_id, nonce=nonce)
