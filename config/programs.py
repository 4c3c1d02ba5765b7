"""The programs of an installation on one machine, in the order in which they start."""

import sys

from django.conf import settings

from config.env import VAR_DIR
from config.queues import LONG, SHORT
from config.supervisor import Program

STREAMS_MAY_TAKE_S = 60
"""How long open streams may go on after a server was told to stop."""

CONNECTIONS_AT_ONCE = 16_384
"""Idle ones count too, and beyond it nobody is answered. Requests at once are limited by MAX_IN_FLIGHT."""

CONNECTIONS_WAITING = 4_096

TASKS_AT_ONCE = 4
"""While alerts wait for an endpoint that hangs, which one run at a time does, the others must go on in time."""


LONG_TASKS_AT_ONCE = 2
"""Two, so that an export need not wait for the end of a backup."""

_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def sandbox(port: int) -> Program:
    """The upstream that needs no weights."""
    return _python("sandbox", "-m", "gateway.sandbox", "--port", str(port))


def worker() -> Program:
    """Celery with its clock inside, in one process: its tasks wait for databases and networks, and hardly compute."""
    schedule = str(VAR_DIR / "celery" / "schedule")
    return _worker("worker", queue=SHORT, at_once=TASKS_AT_ONCE, options=("--beat", "-s", schedule))


def long_worker() -> Program:
    """Another one for what takes minutes, so that nothing that comes each second waits for that."""
    return _worker("long-worker", queue=LONG, at_once=LONG_TASKS_AT_ONCE)


def server() -> Program:
    """Both planes."""
    address = ("--host", settings.BIND_HOST, "--port", str(settings.PORT))
    options = ("--interface", "asgi", "--loop", "uvloop", "--no-ws", "--log-level", "warning")
    workers = ("--workers", "1", "--respawn-failed-workers")
    crowd = ("--backlog", str(CONNECTIONS_WAITING), "--backpressure", str(CONNECTIONS_AT_ONCE))
    patience = ("--workers-kill-timeout", str(STREAMS_MAY_TAKE_S))
    arguments = (*address, *options, *workers, *crowd, *patience, "config.asgi:application")
    return _python("server", "-m", "granian", *arguments, grace_s=STREAMS_MAY_TAKE_S + 10)


def _worker(name: str, *, queue: str, at_once: int, options: tuple[str, ...] = ()) -> Program:
    pool = ("--pool", "threads", "--concurrency", str(at_once))
    which = ("-n", f"{name}@%h", "-Q", queue)
    how = (*which, *pool, "--loglevel", "WARNING", *_ALONE, *options)
    return _python(name, "-m", "celery", "--quiet", "-A", "config.celery", "worker", *how)


def _python(name: str, *arguments: str, grace_s: float = 10) -> Program:
    return Program(name=name, command=(sys.executable, *arguments), grace_s=grace_s)
