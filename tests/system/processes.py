"""Servers as processes of their own, as in production: the sandbox upstream, and gateways on free ports.

Each writes a log that `conftest.py` shows when a test fails. None outlives the test run, however that ends.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psutil

from config import programs
from config.asgi import libpq_params
from config.env import BASE_DIR

T = TypeVar("T")

HOST = "127.0.0.1"
READY_WITHIN_S = 40.0
STOPPED_WITHIN_S = 20.0
LOG_SHOWN_BYTES = 8_000


def eventually(condition: Callable[[], T], *, within_s: float = 10.0, every_s: float = 0.01) -> T:
    """The first true value of `condition`, for what announces itself to nobody.

    Raises:
        AssertionError: there was none in time.
    """
    deadline = time.monotonic() + within_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not true within {within_s} s: {condition!r}"
        time.sleep(every_s)


class Server:
    """A process that serves HTTP at `url`."""

    url: str

    def __init__(self, *command: str, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        tether = (sys.executable, str(BASE_DIR / "config" / "tethered.py"), str(os.getpid()))
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*tether, *command], stdout=file, stderr=file, cwd=BASE_DIR, env=environment
            )

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def get(self, path: str, *, method: str = "GET") -> tuple[int, bytes]:
        """Status and body of a plain request."""
        call = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(call, timeout=40) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def stop(self) -> int:
        """Asks it to stop, as an operator would; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPPED_WITHIN_S)

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged in JSON so far."""
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return [line for line in lines if isinstance(line, dict)]

    def log_tail(self) -> str:
        return self.log.read_bytes()[-LOG_SHOWN_BYTES:].decode(errors="replace")


class Sandbox(Server):
    """The sandbox upstream, and what it tells of the requests that reached it."""

    def __init__(self, log: Path) -> None:
        command = (sys.executable, "-m", "gateway.sandbox", "--port", "0", "--record-bodies")
        super().__init__(*command, log=log, environment=_environment())
        self.url = self._announced()

    @property
    def base_url(self) -> str:
        """What a provider's base URL is."""
        return f"{self.url}/v1"

    def requests(self) -> list[dict[str, Any]]:
        """The records of the requests since the journal was forgotten, oldest first."""
        return list(self._ask("requests"))

    def only_request(self) -> dict[str, Any]:
        """The record of the one request that there was, once it has ended."""
        self.wait_for_running(0)
        (record,) = self.requests()
        return dict(record)

    def last_body(self) -> dict[str, Any]:
        """The body of the last request, as it arrived."""
        return dict(self.requests()[-1]["body"])

    def wait_for_running(self, count: int) -> dict[str, int]:
        """The counts, as soon as exactly `count` requests run."""
        stats = dict(self._ask(f"stats?running={count}"))
        assert stats["running"] == count
        return stats

    def forget(self) -> None:
        self._ask("requests", method="DELETE")

    def _ask(self, path: str, *, method: str = "GET") -> Any:
        _, body = self.get(f"/_sandbox/{path}", method=method)
        return json.loads(body or b"null")

    def _announced(self) -> str:
        def url() -> str:
            _alive(self)
            line, ended, _ = self.log.read_text().partition("\n")
            return line.split()[-1] if ended else ""

        return eventually(url, within_s=READY_WITHIN_S)


class Command(Server):
    """A command of `manage.py` on the test databases of this process."""

    def __init__(self, *arguments: str, log: Path) -> None:
        environment = {**_environment(), **database_urls()}
        super().__init__(sys.executable, "manage.py", *arguments, log=log, environment=environment)

    def kill(self) -> None:
        """Kills it, which it cannot do anything about."""
        self.process.kill()
        self.process.wait()

    def is_running(self) -> bool:
        return self.process.poll() is None


class Gateway(Server):
    """A gateway on the test databases of this process, ready when it exists unless `wait` is false."""

    def __init__(self, log: Path, *, wait: bool = True, **environment: str) -> None:
        port = free_port()
        environment = {**_environment(), **database_urls(), **environment}
        super().__init__(*_as_in_production(port), log=log, environment=environment)
        self.url = f"http://{HOST}:{port}"
        if wait:
            eventually(self.is_ready, within_s=READY_WITHIN_S, every_s=0.05)

    @property
    def base_url(self) -> str:
        """What an SDK is given."""
        return f"{self.url}/v1"

    def is_ready(self) -> bool:
        _alive(self)
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def pids(self) -> list[int]:
        """The server and its workers."""
        parent = psutil.Process(self.process.pid)
        return [parent.pid, *(child.pid for child in parent.children(recursive=True))]

    def kill(self) -> None:
        """Kills the server and its worker, which cannot do anything about it."""
        processes = [psutil.Process(pid) for pid in self.pids()]
        for process in processes:
            process.kill()
        self.process.wait()
        psutil.wait_procs(processes, timeout=10)


def _as_in_production(port: int) -> list[str]:
    """The server's own command, with another address."""
    command = list(programs.server().command)
    for option, value in (("--host", HOST), ("--port", str(port))):
        command[command.index(option) + 1] = value
    return command


def _alive(server: Server) -> None:
    assert server.process.poll() is None, f"exit status {server.process.returncode}:\n{server.log_tail()}"


def _environment() -> dict[str, str]:
    """This process's, with its secrets (set by `tests.settings`), but none of its own database settings."""
    databases = {"DATABASE_URL", "LEDGER_DATABASE_URL", "KEYS_DATABASE_URL"}
    own = {*databases, "DJANGO_SETTINGS_MODULE", "PYTEST_CURRENT_TEST"}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return {**inherited, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1"}


def database_urls() -> dict[str, str]:
    """Where the test databases of this process are."""
    aliases = {"DATABASE_URL": "default", "LEDGER_DATABASE_URL": "ledger", "KEYS_DATABASE_URL": "keys"}
    return {variable: database_url(alias) for variable, alias in aliases.items()}


def database_url(alias: str, *, host: str = "", port: int | None = None) -> str:
    """The URL of a test database; `host` and `port` put another way to its server in place of the usual one."""
    params = libpq_params(alias)
    user = quote(str(params.get("user", "")), safe="")
    password = f":{quote(str(params['password']), safe='')}" if params.get("password") else ""
    where = [f"host={quote(host or str(params.get('host', '')), safe='')}"]
    if port or params.get("port"):
        where.append(f"port={port or params['port']}")
    return f"postgresql://{user}{password}@/{params['dbname']}?{'&'.join(where)}"


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def closing_all(servers: list[Server]) -> Iterator[None]:
    """Ends `servers` on the way out, those included that were added meanwhile."""
    try:
        yield
    finally:
        for server in reversed(servers):
            server.close()
