"""Asks moderation models about texts: within a time limit, not again what was asked lately, and not while they fail.

What was asked is remembered by a keyed hash alone. The key has a part of the tenant, so that nobody learns from the
time an answer takes what another tenant has sent, and one of this process.
"""

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from gateway.circuit import Circuit
from gateway.errors import Refusal, UpstreamFailed, UpstreamRejected
from gateway.guards import moderation
from gateway.guards.moderation import Asking, ModerationFailed, Result, Results, together
from gateway.providers import openai
from gateway.routing import Route, serving
from gateway.snapshot import Snapshots
from gateway.upstream import UpstreamClient

KEPT_S = 300.0
MOST_KEPT = 5_000
INPUTS_MOST = 32
"""Texts of one call: what OpenAI takes."""

_read = msgspec.json.Decoder(Results).decode
_encode = msgspec.json.Encoder().encode


class Moderating:
    """One per process."""

    def __init__(
        self, upstream: UpstreamClient, snapshots: Snapshots, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._upstream = upstream
        self._snapshots = snapshots
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Result]] = OrderedDict()
        self._circuits: dict[str, Circuit] = {}
        self._secret = os.urandom(32)
        self.calls = 0
        self.failures = 0

    async def ask(self, texts: Sequence[str], asked: Asking, *, key: bytes) -> list[Result]:
        """What the model says of each text. `key`: of the tenant.

        Raises:
            ModerationFailed: see there.
        """
        pieces = [list(moderation.pieces(text)) for text in texts]
        digests = {piece: self._digest(piece, asked, key) for own in pieces for piece in own}
        results = {piece: result for piece, digest in digests.items() if (result := self._recall(digest)) is not None}
        unknown = [piece for piece in digests if piece not in results]
        if unknown:
            for piece, result in zip(unknown, await self._answers(unknown, asked), strict=True):
                results[piece] = result
                self._remember(digests[piece], result)
        return [together([results[piece] for piece in own]) for own in pieces]

    async def _answers(self, texts: list[str], asked: Asking) -> list[Result]:
        route = await self._route(asked)
        circuit = self._circuits.setdefault(f"{route.name} {route.base_url}", Circuit(self._clock))
        if not circuit.allows():
            raise self._failed("open")
        try:
            async with asyncio.timeout(asked.timeout_s):
                batches = [texts[start : start + INPUTS_MOST] for start in range(0, len(texts), INPUTS_MOST)]
                results = [result for batch in batches for result in await self._call(route, batch)]
        except UpstreamRejected as error:
            circuit.succeeded()  # it is well: this text is what it does not like
            raise self._failed("unavailable") from error
        except (UpstreamFailed, ValueError) as error:
            circuit.failed()
            raise self._failed("unavailable") from error
        except TimeoutError as error:
            circuit.failed()
            raise self._failed("timeout") from error
        except asyncio.CancelledError:
            circuit.undecided()
            raise
        circuit.succeeded()
        return results

    async def _route(self, asked: Asking) -> Route:
        try:
            table = await self._snapshots.routes()
        except Refusal as error:
            raise self._failed("unavailable") from error
        found = serving(table, asked.model, provider=asked.provider)
        if found is None:
            raise self._failed("unconfigured")
        return found

    async def _call(self, route: Route, texts: list[str]) -> list[Result]:
        """
        Raises:
            UpstreamFailed: there is no answer.
            ValueError: it cannot be read.
        """
        self.calls += 1
        body = _encode({"model": route.upstream_model, "input": texts})
        headers = openai.headers(route)
        answer = await self._upstream.post(openai.moderations_url(route), body, headers=headers, route=route)
        try:
            results = _read(await answer.read()).results
        finally:
            answer.release()
        if len(results) != len(texts):
            raise ValueError("another number of results than of texts")
        return results

    def _failed(self, reason: str) -> ModerationFailed:
        self.failures += 1
        return ModerationFailed(reason)

    def _digest(self, text: str, asked: Asking, key: bytes) -> bytes:
        hashed = hashlib.blake2b(key=self._secret, digest_size=16)
        for part in (key, asked.provider.encode(), asked.model.encode(), text.encode("utf-8", "surrogatepass")):
            hashed.update(len(part).to_bytes(8, "big") + part)
        return hashed.digest()

    def _recall(self, digest: bytes) -> Result | None:
        at, result = self._known.get(digest, (0.0, None))
        if result is None or self._clock() >= at + KEPT_S:
            return None
        self._known.move_to_end(digest)
        return result

    def _remember(self, digest: bytes, result: Result) -> None:
        self._known[digest] = (self._clock(), result)
        self._known.move_to_end(digest)
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
