"""What a request leaves to be stored: collected on its way, put together later, off the response path. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.principal import ContentTerms, Principal
from gateway.providers.openai import PERSON_FIELDS
from gateway.wire import assembled
from gateway.wire.body import without_control

Person = tuple[int, str]
"""A tenant's id and the surrogate of one of its end users."""
Wish = tuple[int, str, str, bool]
"""The same with the purpose of storing, and whether the content is redacted."""


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


class Content(Struct, kw_only=True, gc=False):
    """A request with what was asked and answered. `size`: about how many bytes that takes.

    Made of what is at hand when a request ends, as that is on its way: what can be told later is told in the batch.
    `reason`: why its content is not stored; '' while it may be. `wish` is whose it is, on what terms, told once for all
    who ask. `key_id`, `place`, `length` and `plain_bytes` tell of the encrypted content, once it is. `began` is in
    seconds since the epoch, `handed_at` of `time.perf_counter`.

    `body` is kept as it came: of many that wait, the garbage collector would walk every part of a parsed one.
    """

    request_id: str
    principal: Principal
    terms: ContentTerms
    surrogate: str
    model: str
    outcome: str
    streamed: bool
    gpc: bool
    began: float
    handed_at: float
    body: bytes | None
    answer: bytes
    pieces: Sequence[bytes]
    size: int
    reason: str = ""
    wish: Wish = (0, "", "", False)
    key_id: str | None = None
    place: int = 0
    length: int = 0
    plain_bytes: int = 0

    def __repr__(self) -> str:
        return f"Content({self.request_id})"  # logs may show it

    def make_wish(self) -> None:
        """From now on `wish` says whose it is."""
        terms = self.terms
        self.wish = (self.principal.tenant_id, self.surrogate, terms.purpose, terms.redacted)

    @property
    def is_there(self) -> bool:
        """Whether there is content; else only the decision is left."""
        return self.body is not None

    def drop(self, reason: str) -> None:
        """Lets go of everything but the decision."""
        self.reason, self.key_id = reason, None
        self.let_go()

    def let_go(self) -> None:
        """Of the content, where it was stored."""
        self.body, self.answer, self.pieces = None, b"", ()

    def plaintext(self) -> bytes:
        """What is to be encrypted: see compliance/transcripts.py. Neither name of the person is in it.

        Raises:
            ValueError: request or answer cannot be read.
        """
        request = _fields(self.body or b"{}")
        if not all(map(str.isprintable, request)):  # fields are known by their names without these characters
            request = {without_control(name): value for name, value in request.items()}
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
