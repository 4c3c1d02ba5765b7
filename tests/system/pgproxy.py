"""A way to a database that can be cut: to see what happens without one, and when it is back."""

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from config.asgi import libpq_params
from tests.system.processes import database_url

SOCKET = ".s.PGSQL.5432"


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
        """Breaks every connection, and refuses new ones."""
        self._run(self._refuse())

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, self._folder / SOCKET)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            (self._folder / SOCKET).unlink(missing_ok=True)
        for writer in self._open:
            writer.transport.abort()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_unix_connection(self._target)
        for source, sink in ((reader, onward_writer), (onward_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._open.add(sink)
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
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
