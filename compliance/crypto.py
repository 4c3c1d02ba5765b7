"""Sealing of small secrets under the root key: AES-256-GCM, bound to where the secret belongs.

Layout: version of the layout (1 byte) | version of the key (2 bytes, big-endian) | nonce (12) | ciphertext and tag.
Nonces are random (NIST SP 800-38D, 8.2.2): far below 2^32 messages per key here.
"""

import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from compliance.errors import DecryptionFailed

LAYOUT = 1
_HEADER = 3
_NONCE = 12


def seal(plaintext: bytes, *, keys: Mapping[int, bytes], context: str) -> bytes:
    """Encrypts under the newest of `keys` (version → 32 bytes); `context` names the place it belongs to."""
    version = max(keys)
    header = bytes([LAYOUT]) + version.to_bytes(2, "big")
    nonce = secrets.token_bytes(_NONCE)
    return header + nonce + AESGCM(keys[version]).encrypt(nonce, plaintext, header + context.encode())


def unseal(sealed: bytes, *, keys: Mapping[int, bytes], context: str) -> bytes:
    """Decrypts what `seal` made.

    Raises:
        DecryptionFailed: the key is not among `keys`, the bytes were altered, or `context` is another one.
    """
    header, nonce, ciphertext = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
    key = keys.get(key_version(sealed))
    if not key or header[0] != LAYOUT:
        raise DecryptionFailed(f"no key of version {key_version(sealed)} at hand")
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, header + context.encode())
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed("the sealed value was altered or belongs elsewhere") from error


def key_version(sealed: bytes) -> int:
    """The version of the key that `sealed` needs."""
    return int.from_bytes(sealed[1:_HEADER], "big")
