"""One `make run` or `make reset` at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Holds a lock that ends with this process, however it ends; the file says which process it is.

    Raises:
        CommandError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Portcullis runs already (process {path.read_text()}). Stop it first, or set another VAR_DIR."
            raise CommandError(message) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
