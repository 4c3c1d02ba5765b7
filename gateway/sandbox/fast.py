"""Answers for benchmarks: the same bytes for every request, made once, so that little but HTTP is measured.

Knobs, limits and the model are not looked at; whether to stream and whether to send usage are.
"""

import msgspec
from aiohttp import web

from gateway.sandbox import errors, wire
from gateway.sandbox.answer import DEFAULT_TOKENS, Answer, Choice, Usage
from gateway.sandbox.chat import MODELS, StreamOptions
from gateway.sandbox.delivery import EVENT_STREAM, JSON
from gateway.sandbox.journal import Journal, RequestRecord
from gateway.sandbox.text import prose


class _StreamFields(msgspec.Struct):
    stream: bool | None = None
    stream_options: StreamOptions | None = None


_DECODER = msgspec.json.Decoder(_StreamFields)


class FixedAnswers:
    """The three answers: whole, streamed, and streamed with usage."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        answer = Answer(
            choices=(Choice(prose(0, tokens=DEFAULT_TOKENS), "stop"),),
            usage=Usage(prompt_tokens=16, completion_tokens=DEFAULT_TOKENS, cached_tokens=0, reasoning_tokens=0),
        )
        envelope = wire.Envelope.now(id="chatcmpl-fixed", model=MODELS[0])
        self._whole = wire.whole(answer, envelope)
        self._stream = _events(answer, envelope, include_usage=False)
        self._stream_with_usage = _events(answer, envelope, include_usage=True)

    async def respond(self, http: web.Request, record: RequestRecord) -> web.StreamResponse:
        try:
            fields = _DECODER.decode(await http.read())
        except msgspec.DecodeError as error:
            raise errors.invalid_body(error) from error
        record.model = MODELS[0]
        if not fields.stream:
            self._completed(record)
            return web.Response(body=self._whole, headers=JSON)
        with_usage = fields.stream_options is not None and fields.stream_options.include_usage
        response = web.StreamResponse(headers=EVENT_STREAM)
        await response.prepare(http)
        self._completed(record)
        await response.write_eof(self._stream_with_usage if with_usage else self._stream)
        return response

    def _completed(self, record: RequestRecord) -> None:
        record.sent(DEFAULT_TOKENS)
        self._journal.end(record, "completed")


def _events(answer: Answer, envelope: wire.Envelope, *, include_usage: bool) -> bytes:
    events = wire.stream(answer, envelope, include_usage=include_usage, chunks=None)
    return events.head + b"".join(delta.event for delta in events.deltas) + events.tail
