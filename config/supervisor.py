"""Starts programs, notices when one ends, and stops them in the reverse order; what `manage.py up` is made of.

Each program has a session of its own, so that Ctrl-C reaches the supervisor alone and the order of stopping is its
to choose. What programs print goes to one log file each.
"""

import contextlib
import errno
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config import embedded, tethered
from config.env import BASE_DIR

POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start. After SIGTERM it gets `grace_s` seconds to end by itself."""

    name: str
    command: tuple[str, ...]
    grace_s: float = 10


@dataclass(frozen=True, slots=True)
class Running:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path


class ProgramEnded(Exception):
    """A program that should run has ended."""

    def __init__(self, running: Running) -> None:
        super().__init__(f"The {running.program.name} ended with status {running.process.returncode}.")
        self.log = running.log


class NotReady(Exception):
    """A program runs, but did not become ready in time."""

    def __init__(self, running: Running, *, timeout_s: float) -> None:
        super().__init__(f"The {running.program.name} did not become ready within {timeout_s:.0f} s.")
        self.log = running.log


class Supervisor:
    """Owns the programs that it started."""

    def __init__(self, *, log_dir: Path, environment: Mapping[str, str]) -> None:
        self._log_dir = log_dir
        self._environment = {**os.environ, **environment}
        self._running: list[Running] = []
        self._ended: queue.SimpleQueue[Running] = queue.SimpleQueue()

    def start(self, program: Program) -> Running:
        log = fresh_log(self._log_dir, program.name)
        command = [sys.executable, tethered.__file__, str(os.getpid()), *program.command]
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = Running(program, process, log)
        self._running.append(running)
        threading.Thread(target=self._watch, args=(running,), daemon=True).start()
        return running

    def wait(self, *, timeout_s: float | None = None) -> None:
        """Returns after the timeout; without one, never.

        Raises:
            ProgramEnded: one of the programs did.
        """
        with contextlib.suppress(queue.Empty):
            raise ProgramEnded(self._ended.get(timeout=timeout_s))

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Returns as soon as `ready` says so of the program that was started last.

        Raises:
            ProgramEnded: one of the programs did.
            NotReady: `timeout_s` passed.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > deadline:
                raise NotReady(self._running[-1], timeout_s=timeout_s)
            self.wait(timeout_s=POLL_S)

    def stop(self) -> None:
        """Asks each program to end, the newest first, and waits for it before the next.

        What outstays its grace is killed.
        """
        while self._running:
            running = self._running[-1]
            running.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(running.program.grace_s)
            _kill(running)
            self._running.pop()

    def kill(self) -> None:
        """Ends everything at once."""
        while self._running:
            _kill(self._running.pop())

    def _watch(self, running: Running) -> None:
        running.process.wait()
        self._ended.put(running)


def _kill(running: Running) -> None:
    """Also what the program itself started and left behind: it shares the program's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


def fresh_log(folder: Path, name: str) -> Path:
    """The log file of a program that is about to start; the one of its last run is kept as `.1`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.log"
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    return path


def end_of(log: Path, *, lines: int = 20) -> str:
    """The last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def database_environment(socket_dir: str) -> dict[str, str]:
    """How programs find an embedded server that they do not own."""
    host = quote(socket_dir, safe="")
    names = zip(("DATABASE_URL", "LEDGER_DATABASE_URL", "KEYS_DATABASE_URL"), embedded.DATABASES, strict=True)
    return {variable: f"postgresql://postgres@/{name}?host={host}" for variable, name in names}


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        OSError: for another reason than its being taken, e.g. no such address, or a port below 1024.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port() -> int:
    """A port of the loopback address that nothing listens on at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on the port of the loopback address."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
