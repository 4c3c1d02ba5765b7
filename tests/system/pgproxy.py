"""A way to a database that can be cut, or held up at a call: to see what happens without one, and when it is back."""

import asyncio
import contextlib
import re
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from config.asgi import libpq_params
from tests.system.processes import database_url

SOCKET = ".s.PGSQL.5432"
CAUGHT_WITHIN_S = 10.0

_CALL = re.compile(rb"\b(admit|extend|settle|note)\(")
_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
"""The message that runs what was parsed and bound before (PostgreSQL, "Message Formats": Execute)."""


class Held(Enum):
    """What does not pass: the call, of which the ledger then knows nothing, or the answer to what it has done."""

    CALLS = "calls"
    ANSWERS = "answers"


@dataclass
class _Line:
    """One connection, and the function of the ledger that is called over it: the gateway has one for each."""

    function: str = ""
    asked: bytes = b""
    """The message of the last call; none after another message."""

    def learn(self, sent: bytes) -> None:
        if not self.function and (call := _CALL.search(sent)):
            self.function = call[1].decode()
        self.asked = sent if _EXECUTE in sent else b""


@dataclass(frozen=True)
class _Hold:
    """What is held up: a function's calls or answers, all of them or those of calls that mention something."""

    function: str
    what: Held
    mention: bytes

    def is_for(self, line: _Line, direction: Held) -> bool:
        asked = bool(line.asked) and self.mention in line.asked
        return asked and (self.function, self.what) == (line.function, direction)


class DatabaseProxy:
    """Passes connections on to the server of the database `alias`, from a Unix socket of its own."""

    def __init__(self, alias: str, folder: Path) -> None:
        self._alias = alias
        self._folder = folder
        params = libpq_params(alias)
        self._target = f"{params['host']}/.s.PGSQL.{params.get('port') or 5432}"
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._holding: _Hold | None = None
        self._caught = threading.Event()
        self._released = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="database proxy")
        self._thread.start()

    @property
    def url(self) -> str:
        return database_url(self._alias, host=str(self._folder), port=5432)

    def restore(self) -> None:
        """Lets connections through (again)."""
        self._run(self._listen())

    def cut(self) -> None:
        """Breaks every connection, and refuses new ones; what was held up is lost."""
        self._run(self._refuse())

    def hold(self, function: str, what: Held, *, mention: str = "") -> None:
        """Lets calls of `function`, or the answers to them, wait from now on until `release`.

        Of calls that mention something only those: what an earlier request left to be said later may come by as well.
        """
        self._caught.clear()
        self._run(self._hold(_Hold(function, what, mention.encode())))

    def wait_until_held(self) -> None:
        """Returns once something waits."""
        assert self._caught.wait(CAUGHT_WITHIN_S), f"nothing of {self._holding} came by"

    def release(self) -> None:
        """Lets through what waits, and holds up nothing any more."""
        self._run(self._let_go())

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._connected, self._folder / SOCKET)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            (self._folder / SOCKET).unlink(missing_ok=True)
        for writer in self._open:
            writer.transport.abort()
        self._holding = None
        self._released.set()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _hold(self, hold: _Hold) -> None:
        self._released.clear()
        self._holding = hold

    async def _let_go(self) -> None:
        self._holding = None
        self._released.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_unix_connection(self._target)
        line = _Line()
        for pump in (
            self._pump(reader, onward_writer, line, Held.CALLS),
            self._pump(onward_reader, writer, line, Held.ANSWERS),
        ):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, line: _Line, direction: Held
    ) -> None:
        self._open.add(sink)
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if direction is Held.CALLS:
                    line.learn(data)
                if self._holding is not None and self._holding.is_for(line, direction):
                    self._caught.set()
                    await self._released.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
        with contextlib.suppress(OSError):
            await sink.wait_closed()
        self._open.discard(sink)


@contextlib.contextmanager
def database_proxy(alias: str) -> Iterator[DatabaseProxy]:
    """A proxy that lets connections through, until it is told otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="pgproxy-"))  # short: a socket's path has its limits
    proxy = DatabaseProxy(alias, folder)
    try:
        proxy.restore()
        yield proxy
    finally:
        proxy.close()
        shutil.rmtree(folder)
