"""Root keys in AWS KMS: they never leave it. Each tenant's key costs a call a minute and process; see `store.py`.

Layout: 2 (1 byte) | version of the key (2 bytes, big-endian) | what KMS made. The place that a value belongs to is its
encryption context, which KMS binds and logs; it holds numbers and surrogates only.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from compliance.crypto import key_version
from compliance.errors import DecryptionFailed, KeyStoreUnavailable

LAYOUT = 2
_HEADER = 3
_REFUSED = {"InvalidCiphertextException", "IncorrectKeyException"}


class KmsRootKeys:
    """Root keys by version, each the ARN (or alias) of a symmetric KMS key. Credentials and region are boto3's own."""

    def __init__(self, keys: Mapping[int, str]) -> None:
        self._keys = keys

    @property
    def versions(self) -> Collection[int]:
        return self._keys.keys()

    @property
    def current_version(self) -> int:
        return max(self._keys)

    def wrap(self, value: bytes, *, context: str) -> bytes:
        version = self.current_version
        answer = _ask("encrypt", KeyId=self._keys[version], Plaintext=value, EncryptionContext={"place": context})
        return bytes([LAYOUT]) + version.to_bytes(2, "big") + bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        key = self._keys.get(key_version(wrapped))
        if key is None or wrapped[:1] != bytes([LAYOUT]):
            raise DecryptionFailed(f"no key of version {key_version(wrapped)} in KMS_KEYS")
        blob = wrapped[_HEADER:]
        answer = _ask("decrypt", KeyId=key, CiphertextBlob=blob, EncryptionContext={"place": context})
        return bytes(answer["Plaintext"])


def _ask(operation: str, **arguments: Any) -> dict[str, Any]:
    """One call of KMS, tried again by boto3 itself where that makes sense."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: dict[str, Any] = getattr(_client(), operation)(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSED:
            raise DecryptionFailed(
                "KMS refuses: the value was altered, belongs elsewhere or needs another key"
            ) from error
        raise KeyStoreUnavailable(f"KMS refuses to {operation}: {code}.") from error
    except BotoCoreError as error:
        raise KeyStoreUnavailable(f"KMS does not answer: {type(error).__name__}.") from error
    return answer


@cache
def _client() -> Any:
    """Made once per process; boto3's clients may be shared by threads."""
    import boto3
    from botocore.config import Config

    return boto3.client("kms", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3}))
