"""Names for processes, by which another one of the same machine can tell whether one still lives."""

import os
import secrets
import socket

import psutil


def this_process() -> str:
    """A name that no other process has had: its machine, its namespace of process ids, its id, when it began."""
    return f"{_here()} {os.getpid()} {psutil.Process().create_time():.2f}"


def this_run() -> str:
    """A name for one piece of work of this process: of two in its threads, each has its own."""
    return f"{this_process()}/{secrets.token_hex(8)}"


def has_ended(process: str) -> bool:
    """Whether that process, or that of that run, is known to be no more. Of those elsewhere nothing is known."""
    here, pid, began = [*process.rsplit(" ", 2), "", ""][:3]
    if here != _here():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != began.partition("/")[0]
    except (psutil.NoSuchProcess, ValueError):
        return True


def _here() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()[:100]} {namespace}"
