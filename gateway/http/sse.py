"""Streams of server-sent events that the front sends piece by piece."""

from collections.abc import AsyncGenerator, Mapping

import structlog

from gateway.errors import Refusal
from gateway.http.answers import raw
from gateway.http.problems import event_of

log = structlog.get_logger("gateway.http")

DONE = b"data: [DONE]\n\n"
_HEAD = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class EventStream:
    """`pieces` for the client; ends with `[DONE]`, or with an error event when something went wrong.

    `within_s`: a client that has not read it by then is taken for gone.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], *, headers: Mapping[str, str], within_s: float) -> None:
        self.headers = raw({**_HEAD, **headers})
        self._pieces = pieces
        self.within_s = within_s

    async def events(self) -> AsyncGenerator[bytes, None]:
        """What goes over the wire. Close it when nobody listens any more: that ends the upstream call."""
        try:
            async for piece in self._pieces:
                yield piece
        except Exception as error:
            if not isinstance(error, Refusal):
                log.exception("stream failed")
            yield event_of(error)
        else:
            yield DONE
        finally:
            await self._pieces.aclose()
