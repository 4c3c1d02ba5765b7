"""A place for a run, apart from whatever else is installed on the machine."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ELSEWHERE = ("DATABASE_URL", "LEDGER_DATABASE_URL", "DEBUG", "TRUSTED_PROXIES", "LOG_LEVEL", "CACHE_URL", "BIND_HOST")
"""Settings that somebody may have in the environment, and that would make another installation of this one."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for everything, and the environment that makes the project use it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user
        var_dir = Path(folder) / "var"
        for name in _ELSEWHERE:
            os.environ.pop(name, None)
        os.environ.update(VAR_DIR=str(var_dir), PLANE="data", DJANGO_SETTINGS_MODULE="config.settings")
        yield var_dir
