"""OpenAI's moderations without a model: a text is flagged for a category whose name it has as a word.

So `violence` flags for violence, and `self-harm intent` for self-harm/intent. A model whose name ends in `-down`,
`-hang` or `-garbled` plays that fault: what asks it may have no knobs to send.
"""

import re
import zlib
from typing import Annotated, Any

import msgspec

from gateway.sandbox import errors
from gateway.sandbox.knobs import Knobs

MODEL = "sandbox-moderation"
FAULTS: dict[str, Knobs] = {
    f"{MODEL}-down": Knobs(status=503),
    f"{MODEL}-hang": Knobs(hang=True),
    f"{MODEL}-garbled": Knobs(malformed=True),
}
CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)
FLAGGED_SCORE = 0.97
MOST_INPUTS = 32

_WORDS = {name: re.compile(rf"\b{name.replace('/', '[ /]')}\b", re.IGNORECASE) for name in CATEGORIES}


class Part(msgspec.Struct):
    type: str
    text: str = ""


class ModerationRequest(msgspec.Struct):
    """The body of `POST /v1/moderations`."""

    input: str | Annotated[list[str | Part], msgspec.Meta(min_length=1, max_length=MOST_INPUTS)]
    model: str = MODEL
    sandbox: Knobs = Knobs()

    @property
    def texts(self) -> list[str]:
        """What gets a result each: parts, as pictures beside a text, are one input together."""
        if isinstance(self.input, str):
            return [self.input]
        parts = [part.text for part in self.input if isinstance(part, Part)]
        plain = [text for text in self.input if isinstance(text, str)]
        return [*plain, "\n".join(parts)] if parts else plain

    @property
    def knobs(self) -> Knobs:
        return FAULTS.get(self.model, self.sandbox)


_DECODER = msgspec.json.Decoder(ModerationRequest)


def parse(body: bytes) -> ModerationRequest:
    """Read a request. Raises ApiError, as OpenAI does."""
    try:
        request = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise errors.invalid_body(error) from error
    if request.model != MODEL and request.model not in FAULTS:
        raise errors.model_not_found(request.model)
    return request


def answer(request: ModerationRequest, *, id: str) -> bytes:
    """The body of the answer: a result for each input, the same for the same text."""
    results = [_result(text) for text in request.texts]
    return msgspec.json.encode({"id": id, "model": request.model, "results": results})


def _result(text: str) -> dict[str, Any]:
    categories = {name: _WORDS[name].search(text) is not None for name in CATEGORIES}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: FLAGGED_SCORE if hit else _low(name, text) for name, hit in categories.items()},
        "category_applied_input_types": {name: ["text"] if hit else [] for name, hit in categories.items()},
    }


def _low(name: str, text: str) -> float:
    """A score below 0.01."""
    return zlib.crc32(f"{name} {text}".encode(errors="replace")) % 1000 / 100_000
