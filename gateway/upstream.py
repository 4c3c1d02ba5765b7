"""HTTP towards upstreams: one pool of connections, explicit deadlines, and failures in the gateway's own words."""

from collections.abc import Mapping

import aiohttp
import msgspec

from gateway.errors import UpstreamCut, UpstreamFailed, UpstreamRejected, UpstreamTimeout
from gateway.providers.openai import EventBuffer
from gateway.routing import Route
from gateway.wire.chat import UpstreamError, UpstreamErrorBody

ANSWER_MOST_BYTES = 64 * 2**20
ERROR_MOST_BYTES = 64 * 2**10
MESSAGE_MOST_CHARS = 1_000
_CLIENTS_FAULT = frozenset({400, 413, 422})


class UpstreamAnswer:
    """An answer with status 200, of which the body is still to come. `release` or `abort` it in the end."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._events = EventBuffer()

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            UpstreamTimeout, UpstreamCut: it did not arrive in time, or not to its end.
        """
        body = bytearray()
        while piece := await self._piece():
            body += piece
            if len(body) > ANSWER_MOST_BYTES:
                raise UpstreamCut("The upstream's answer is too large.")
        return bytes(body)

    async def next_events(self) -> list[bytes]:
        """The data of the next server-sent events, as they come; several when they come together, none at the end.

        Raises:
            UpstreamTimeout, UpstreamCut: nothing arrived in time, or the connection broke.
        """
        while piece := await self._piece():
            try:
                events = self._events.feed(piece)
            except ValueError as error:
                raise UpstreamCut("The upstream's answer cannot be read.") from error
            if events:
                return events
        return []

    def release(self) -> None:
        """Gives the connection back; one whose answer was not read to its end is closed instead."""
        self._response.release()

    def abort(self) -> None:
        """Closes the connection at once, so that the upstream stops working."""
        self._response.close()

    async def _piece(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from error


class UpstreamClient:
    """Calls upstreams. Make it inside the event loop that uses it."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=2**18,
        )
        self._timeouts: dict[tuple[float, float, float], aiohttp.ClientTimeout] = {}

    async def close(self) -> None:
        await self._session.close()

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str], route: Route) -> UpstreamAnswer:
        """Sends `body` and returns when the answer has begun.

        Raises:
            UpstreamRejected: the upstream found fault with the request.
            UpstreamFailed: it could not be reached, or failed.
            UpstreamTimeout, UpstreamCut: it may have been working when contact was lost.
        """
        try:
            response = await self._session.post(
                url, data=body, headers=headers, timeout=self._timeout(route), allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from error
        if response.status != 200:
            try:
                raise await _refused(response)
            finally:
                response.close()
        return UpstreamAnswer(response)

    def _timeout(self, route: Route) -> aiohttp.ClientTimeout:
        limits = (route.total_timeout_s, route.connect_timeout_s, route.read_timeout_s)
        if limits not in self._timeouts:
            total, connect, read = limits
            self._timeouts[limits] = aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read)
        return self._timeouts[limits]


def _failure(error: BaseException) -> UpstreamFailed:
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return UpstreamFailed("The upstream cannot be reached.", busy=True)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("The upstream did not answer in time; it may have worked for the request.")
    return UpstreamCut("The upstream closed the connection before its answer was complete.")


async def _refused(response: aiohttp.ClientResponse) -> UpstreamFailed:
    retry_after_s = _seconds(response.headers.get("retry-after"))
    status = response.status
    if status in _CLIENTS_FAULT:
        said = await _error_of(response)
        code = str(said.code)[:64] if said.code is not None else None
        message = (said.message or "The upstream refused it.")[:MESSAGE_MOST_CHARS]
        return UpstreamRejected(message, param=said.param, upstream_code=code)
    if status == 429:
        return UpstreamFailed("The upstream limits its rate.", retry_after_s=retry_after_s, busy=True)
    if status in (401, 403):
        return UpstreamFailed("The upstream does not accept the gateway's credential; tell your administrator.")
    if status == 404:
        return UpstreamFailed("The upstream does not know the model; tell your administrator.")
    busy = status in (503, 529)
    return UpstreamFailed(f"The upstream failed with status {status}.", retry_after_s=retry_after_s, busy=busy)


async def _error_of(response: aiohttp.ClientResponse) -> UpstreamError:
    try:
        body = await response.content.read(ERROR_MOST_BYTES)
        error = msgspec.json.decode(body, type=UpstreamErrorBody).error
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return UpstreamError()
    return error if isinstance(error, UpstreamError) else UpstreamError(message=error)


def _seconds(text: str | None) -> float | None:
    """A Retry-After in seconds; dates are left out."""
    try:
        return max(float(text), 0.0) if text else None
    except ValueError:
        return None
