"""What a request leaves to be stored: collected on its way, put together later, off the response path. Pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.guards.base import Guarding
from gateway.providers.openai import PERSON_FIELDS
from gateway.wire import assembled


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms a tenant's content is stored: why, whether only redacted, and how large one may be."""

    purpose: str
    redacted: bool
    most_bytes: int


class Entry(Struct, kw_only=True, gc=False):
    """One request as `store_transcripts` is told of it. `reason`: why its content is not stored; '' while it may be."""

    request_id: str
    tenant_id: int
    surrogate: str
    at: datetime
    reason: str
    application_id: int
    api_key_id: int
    environment: str
    model: str
    outcome: str
    streamed: bool
    purpose: str
    gpc: bool
    redacted: bool
    key_id: UUID | None = None
    place: int = 0
    length: int = 0
    plain_bytes: int = 0


class Passed(Struct):
    """What of a stream went out to the client, as far as `most` bytes; `whole` tells whether that is all."""

    most: int
    pieces: list[bytes] = []
    size: int = 0
    whole: bool = True

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.most:
            self.pieces, self.whole = [], False
        else:
            self.pieces.append(piece)


class Content(Struct, gc=False):
    """A request with what was asked and answered. `size`: about how many bytes that takes.

    `body` is kept as it came: of many that wait, the garbage collector would walk every part of a parsed one.
    """

    entry: Entry
    body: bytes | None
    answer: bytes
    pieces: list[bytes]
    size: int
    handed_at: float
    guarding: Guarding | None = None

    def __repr__(self) -> str:
        return f"Content({self.entry.request_id})"  # logs may show it

    @property
    def is_there(self) -> bool:
        """Whether there is content; else only the decision is left."""
        return self.body is not None

    def drop(self, reason: str) -> None:
        """Lets go of everything but the decision."""
        self.entry.reason, self.entry.key_id = reason, None
        self.body, self.answer, self.pieces = None, b"", []

    def plaintext(self) -> bytes:
        """What is to be encrypted: see compliance/transcripts.py. Neither name of the person is in it.

        Raises:
            ValueError: request or answer cannot be read.
        """
        request = _fields(self.body or b"{}")
        for name in PERSON_FIELDS:
            request.pop(name, None)
        return _encode({"request": request, "answer": self._answer()})

    def _answer(self) -> dict[str, Any] | None:
        if self.answer:
            return {"choices": _whole(self.answer).choices}
        if self.pieces:
            return {"choices": assembled.choices(self.pieces)}
        return None


class _Whole(Struct):
    """The part of a whole answer that the model wrote; as it came, unread."""

    choices: msgspec.Raw = msgspec.Raw(b"[]")


_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_whole = msgspec.json.Decoder(_Whole).decode
