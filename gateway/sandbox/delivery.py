"""Puts an answer on the connection: at the pace that was asked for, or with the fault that was asked for.

Bytes are counted before they are written: writing hands them over at once and only then may wait, and a
client may leave on reading the last of them.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice

from aiohttp import web

from gateway.sandbox import errors
from gateway.sandbox.journal import Journal, RequestRecord
from gateway.sandbox.knobs import Knobs
from gateway.sandbox.wire import Delta, EventStream

EVENT_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
JSON = {"Content-Type": "application/json"}
NEVER_JSON = b'{"id":"chatcmpl-'
BATCH_BYTES = 64 * 1024


class Delivery:
    """One answer on its way: the connection, its record and the knobs."""

    def __init__(self, http: web.Request, *, record: RequestRecord, journal: Journal, knobs: Knobs) -> None:
        self._http = http
        self._record = record
        self._journal = journal
        self._knobs = knobs
        self._headers = {"x-request-id": record.id}

    async def before_answer(self) -> None:
        """Play what comes before the first byte: hanging, latency, an error status."""
        if self._knobs.hang:
            await asyncio.Event().wait()
        if self._knobs.latency_ms:
            await asyncio.sleep(self._knobs.latency_ms / 1000)
        if self._knobs.status is not None:
            raise errors.for_status(self._knobs.status, retry_after_s=self._knobs.retry_after_s)

    def cut(self, response: web.StreamResponse | None = None) -> web.StreamResponse:
        """Close the connection under the client. What is returned can no longer be sent."""
        self._journal.end(self._record, "failed")
        if self._http.transport is not None:
            self._http.transport.close()
        return response or web.Response()

    async def whole(self, body: bytes, *, tokens: int) -> web.StreamResponse:
        if self._knobs.cut_after_chunks is not None:
            return await self._half(body)
        if self._knobs.malformed:
            self._journal.end(self._record, "failed")
            return web.Response(body=NEVER_JSON, headers=JSON | self._headers)
        self._record.sent(tokens)
        self._journal.end(self._record, "completed")
        return web.Response(body=body, headers=JSON | self._headers)

    async def stream(self, events: EventStream) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM | self._headers)
        await response.prepare(self._http)
        deltas = islice(events.deltas, self._knobs.chunks_before_fault())
        if self._knobs.chunk_ms:
            await self._paced(response, events.head, deltas)
            rest = b""
        else:
            rest = await self._unpaced(response, events.head, deltas)
        if self._knobs.chunks_before_fault() is not None:
            return await self._fail(response, rest)
        self._journal.end(self._record, "completed")
        await response.write_eof(rest + events.tail)
        return response

    async def _paced(self, response: web.StreamResponse, head: bytes, deltas: Iterator[Delta]) -> None:
        """Write each delta when it is due. A late one does not delay the next: the pace holds under load."""
        loop = asyncio.get_running_loop()
        pace_s = self._knobs.chunk_ms / 1000
        await response.write(head)
        due = loop.time()
        for delta in deltas:
            due += pace_s
            await asyncio.sleep(max(0, due - loop.time()))
            self._record.sent(delta.tokens)
            await response.write(delta.event)
        await asyncio.sleep(max(0, due + pace_s - loop.time()))

    async def _unpaced(self, response: web.StreamResponse, head: bytes, deltas: Iterator[Delta]) -> bytes:
        """Write full batches as they fill and return what is left: most streams are a single write."""
        batch = bytearray(head)
        for delta in deltas:
            self._record.sent(delta.tokens)
            batch += delta.event
            if len(batch) >= BATCH_BYTES:
                await response.write(bytes(batch))
                batch.clear()
        return bytes(batch)

    async def _fail(self, response: web.StreamResponse, rest: bytes) -> web.StreamResponse:
        self._journal.end(self._record, "failed")
        if self._knobs.malformed:
            rest += b"data: " + NEVER_JSON + b"\n\n"
        elif self._knobs.cut_after_chunks is not None:
            await response.write(rest)
            return self.cut(response)
        else:
            rest += b"data: " + errors.for_status(500).body + b"\n\n"
        response.force_close()
        await response.write_eof(rest)
        return response

    async def _half(self, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers=JSON | self._headers)
        response.content_length = len(body)
        await response.prepare(self._http)
        await response.write(body[: len(body) // 2])
        return self.cut(response)
